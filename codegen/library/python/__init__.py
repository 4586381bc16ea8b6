"""codegen/library/python"""
