"""codegen/target"""
