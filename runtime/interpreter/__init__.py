"""runtime/interpreter"""
