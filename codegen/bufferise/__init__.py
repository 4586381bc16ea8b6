"""codegen/bufferise"""
