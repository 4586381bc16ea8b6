"""codegen/cpu"""
