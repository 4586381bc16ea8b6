"""runtime/driver"""
