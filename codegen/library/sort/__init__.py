"""codegen/library/sort"""
