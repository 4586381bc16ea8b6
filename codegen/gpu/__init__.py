"""codegen/gpu"""
