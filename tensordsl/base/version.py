"""The version of tensordsl: stated here only; the package metadata reads it from this file."""

import time

__version__ = "0.1.0"
LOADED = time.time()  # when this process began to load the library
