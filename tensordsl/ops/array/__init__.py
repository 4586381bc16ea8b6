"""tensordsl/ops/array"""
