"""The lazy conditional."""

from tensordsl.ops.control import ifelse

__all__ = ["ifelse"]
