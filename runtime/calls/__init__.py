"""runtime/calls"""
