"""tensordsl/functions"""
