"""tensordsl/signature"""
