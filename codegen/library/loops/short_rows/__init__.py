"""codegen/library/loops/short_rows"""
