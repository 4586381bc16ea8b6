"""tensordsl/base"""
