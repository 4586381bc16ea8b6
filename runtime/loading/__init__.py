"""runtime/loading"""
