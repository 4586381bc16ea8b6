"""codegen/library/loops/pack"""
