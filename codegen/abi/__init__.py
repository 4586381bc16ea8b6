"""codegen/abi"""
