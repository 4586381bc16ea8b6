"""Prebuilt objects: parts of the library that an installation carries, for families of processors.

Contract  `find(name, sources)` -> the object of a part made from these sources for this machine's family, or None.
When      the disk cache lacks the part, and options and tuning are the usual ones.
Why       compiling the parts of a first function takes half a second; a wheel can have done that.
Made by   `python -m tensordsl.functions.prebuilt FOLDER here|all|FAMILY`, when a wheel is built (setup.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import tensordsl.base.processor as processor
from tensordsl.base.config import config
from tensordsl.base.digests import blake2b
from tensordsl.codegen.abi.layouts import ABI_VERSION, COMMON, HEAD, LIBRARY
from tensordsl.codegen.target.machine import Machine, host

FAMILIES = tuple(processor.LEVEL_OF)  # the last that fits is the best
FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(processor.__file__))), "prebuilt")
MANIFEST = "objects.json"
# Facts of a machine that no prebuilt part depends on: thresholds of caches are words that the loader fills in, and
# kernels that gather have other names.
_OPEN_FACTS = ("l2_bytes", "l3_bytes", "has_distant_l3", "has_gathers")
_DTYPES = ("float64", "float32", "int64", "double", "float", "i64")  # of parts for one dtype


def names() -> list[str]:
    """The parts that are prebuilt: those of every call, and those of the usual dtypes."""
    return [name for name in LIBRARY if _is_carried(name)]


def _is_carried(name: str) -> bool:
    word, _, dtype = name.partition("_")
    is_of_every_call = word in ("native", "threads", "c", "nest", "positions") or name in COMMON.values()
    return is_of_every_call or dtype.rpartition("_")[2] in _DTYPES


def find(name: str, sources: str) -> bytes | None:
    """The object of a part of the library; None where the installation has none for this machine and these sources.

    sources: the digest of the Python sources that the library is made from (`loading.cache.sources_digest`)
    """
    folder, manifest = _carried(sources)
    digest = manifest.get("objects", {}).get(name)
    if digest is None:
        return None
    try:
        with open(os.path.join(folder, name + ".o"), "rb") as file:
            blob = file.read()
    except OSError:
        return None
    return blob if _digest(blob) == digest else None


@cache
def _carried(sources: str) -> tuple[str, Mapping[str, Any]]:
    """The folder of the best family whose objects run here, and its manifest."""
    features, facts = processor.features(), _facts(host())
    for family in reversed(FAMILIES):
        folder = os.path.join(FOLDER, family)
        try:
            with open(os.path.join(folder, MANIFEST), "rb") as file:
                manifest = json.load(file)
        except (OSError, ValueError):
            continue
        fits = features.issuperset(processor.FEATURES[family]) and manifest.get("facts") == facts
        if fits and manifest.get("version") == _version(sources):
            return folder, manifest
    return "", {}


def _facts(machine: Machine) -> dict[str, Any]:
    return {name: fact for name, fact in asdict(machine).items() if name not in _OPEN_FACTS}


def _version(sources: str) -> list[Any]:
    return [ABI_VERSION, HEAD, sources]


def _digest(blob: bytes) -> str:
    return str(blake2b(blob, digest_size=16).hexdigest())


def build(folder: str, sources: str, family: str) -> None:
    """Compile the parts for the family that `config.cpu` names into a folder of its name."""
    from tensordsl.codegen.compiler.library_build import library_objects

    place = os.path.join(folder, family)
    os.makedirs(place, exist_ok=True)
    objects = {}
    for name in names():
        blob = library_objects(name)
        objects[name] = _digest(blob)
        with open(os.path.join(place, name + ".o"), "wb") as file:
            file.write(blob)
    manifest = {"version": _version(sources), "facts": _facts(host()), "objects": objects}
    with open(os.path.join(place, MANIFEST), "w") as file:
        json.dump(manifest, file, indent=1)


def family_here() -> str | None:
    """The last family whose features this machine's processor has, and whose maker is its own."""
    features = processor.features()
    is_amd = host().prefetches_blocks is False
    fitting = [
        family
        for family in FAMILIES
        if features.issuperset(processor.FEATURES[family]) and family.startswith("znver") == is_amd
    ]
    return fitting[-1] if fitting else None


def main(arguments: Sequence[str]) -> None:
    folder, which = arguments
    if which == config.cpu:
        from tensordsl.functions.native import sources_digest

        build(folder, sources_digest(), which)
        return
    here = family_here()
    known = {"all": FAMILIES, "here": (here,) if here else (), **{family: (family,) for family in FAMILIES}}
    if which not in known:
        sys.exit(f"tensordsl: parts of the library can be prebuilt for {', '.join(known)}, not for {which!r}")
    families = known[which]
    for family in families:  # each in a process of its own: what code is compiled for is fixed for a process
        print(f"tensordsl: parts of the library for {family}", flush=True)
        flags = ",".join(filter(None, (os.environ.get("TENSORDSL_FLAGS", ""), f"cpu={family}")))
        command = [sys.executable, "-m", __spec__.name, folder, family]
        subprocess.run(command, env={**os.environ, "TENSORDSL_FLAGS": flags}, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
