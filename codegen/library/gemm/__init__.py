"""codegen/library/gemm"""
