"""codegen/library/loops"""
