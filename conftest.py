"""How pytest runs here: on all processors by pytest-xdist, in this process without it, for few files and with -s."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator

import pytest

FEW_FILES = 3  # workers need about as long to begin as these to run
MAX_WORKERS = 16  # each needs up to a gigabyte, and collects all tests


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Take what pyproject.toml says to xdist also where it is not installed, or left out by `-p no:xdist`."""
    if not pluginmanager.hasplugin("xdist"):
        for option in ("--numprocesses", "--dist"):
            parser.addoption(option, help="for pytest-xdist, which is not there: all tests run in this process")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One a processor, or 0 where tests run in this process."""
    are_files = all(name.partition("::")[0].endswith(".py") for name in config.args)
    is_here = config.getoption("capture") == "no" or (are_files and len(config.args) <= FEW_FILES)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if is_here else min(processors, MAX_WORKERS)


def pytest_configure(config: pytest.Config) -> None:
    """Workers have a processor each, so that threads of NumPy's BLAS, which spin while they wait, only take it away."""
    if config.getoption("tx", None):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end, so Python's search for cycles need not walk over it in every test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
