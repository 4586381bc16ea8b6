"""codegen/fusion"""
