"""codegen/library"""
