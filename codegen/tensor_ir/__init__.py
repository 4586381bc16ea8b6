"""codegen/tensor_ir"""
