"""Digests of bytes, which name what is kept."""

from __future__ import annotations

from typing import Any


def blake2b(data: bytes = b"", **options: Any) -> Any:
    """hashlib's, without the import of OpenSSL."""
    try:
        from _blake2 import blake2b as new
    except ImportError:
        from hashlib import blake2b as new
    return new(data, **options)
