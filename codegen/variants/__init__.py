"""codegen/variants"""
