"""codegen/host"""
