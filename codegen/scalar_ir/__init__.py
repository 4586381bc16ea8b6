"""codegen/scalar_ir"""
