"""tensordsl/ops/math"""
