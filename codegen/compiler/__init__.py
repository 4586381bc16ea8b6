"""codegen/compiler"""
