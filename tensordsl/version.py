"""The version of tensordsl: stated here only; the package metadata reads it from this file."""

__version__ = "0.1.0"
