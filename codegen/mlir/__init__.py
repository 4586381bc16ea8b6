"""codegen/mlir"""
