"""tensordsl/autodiff"""
