"""codegen/library/arrays"""
