"""Which names of a usage table this library has: `python tools/resolve_names.py TABLE.tsv [LIBRARY]`.

The table is tab-separated with a header; its columns `kind`, `name` and `all_uses` are read, and of the rows those
whose kind is "name" (a dotted name that begins with the other library's) or "method(...)" (".sum").  Prints the share
of uses that resolve, and what does not, with the work that will bring it.
"""

from __future__ import annotations

import argparse
import csv
from importlib import import_module
from pathlib import Path
from typing import Any

# Other spellings of one thing, as a table may merge them; and names of modules that are ours under another name.
SPELLINGS = {
    "RandomStreams": "tensordsl.tensor.shared_randomstreams.RandomStreams",
}
# The first matching part of a name says who will bring it.
LATER = (
    ("conv", "convolution and pooling"), ("pool", "convolution and pooling"), ("neighbours", "convolution and pooling"),
    ("scan", "scan"), ("map", "scan"), ("reduce", "scan"), ("fold", "scan"), ("random", "random numbers"),
    ("RandomStreams", "random numbers"), ("rng", "random numbers"), ("sort", "sorting"), ("topk", "sorting"),
    ("linalg", "linear algebra"), ("sparse", "not planned: sparse matrices"), ("typed_list", "not planned: lists"),
    ("fft", "not planned: Fourier transforms"),
)  # fmt: skip
NOT_COUNTED = ("cuda", "gpuarray", "(py compat)", "theano.tests", "compilelock")


def resolve(name: str, library: str) -> Any:
    """The object of a dotted name whose first part stands for `library`; None if there is none."""
    name = SPELLINGS.get(name, name)
    parts = name.split(".")[1:]
    here = import_module(library)
    path = library
    for part in parts:
        path += "." + part
        try:
            here = getattr(here, part)
        except AttributeError:
            try:
                here = import_module(path)
            except ImportError:
                return None
    return here


def has_method(name: str, library: str) -> bool:
    tensor = import_module(library + ".tensor")
    shared = import_module(library).shared(0.0)
    function = import_module(library).function([], shared)
    node = (tensor.vector() + 1).owner
    return any(hasattr(o, name.lstrip(".")) for o in (tensor.matrix(), shared, function, node))


def brings(name: str) -> str:
    return next((what for part, what in LATER if part in name), "missing")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("table", type=Path)
    arguments.add_argument("library", nargs="?", default="tensordsl")
    options = arguments.parse_args()
    with options.table.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for kind in ("name", "method"):
        report(kind, [r for r in rows if r["kind"].startswith(kind)], options.library)


def report(kind: str, rows: list[dict[str, str]], library: str) -> None:
    counted = [r for r in rows if not any(part in r["name"] for part in NOT_COUNTED)]
    missing = []
    for row in counted:
        found = has_method(row["name"], library) if kind == "method" else resolve(row["name"], library) is not None
        if not found:
            missing.append((int(row["all_uses"]), row["name"]))
    total = sum(int(r["all_uses"]) for r in counted)
    lost = sum(uses for uses, _ in missing)
    later = sum(uses for uses, name in missing if brings(name) != "missing")
    print(f"{kind}s: {len(counted) - len(missing)} of {len(counted)}; {100 * (1 - lost / total):.1f} % of {total} uses")
    here = total - later
    print(f"  without what other work brings: {100 * (1 - (lost - later) / here):.1f} % of {here} uses")
    for uses, name in sorted(missing, key=lambda m: (-m[0], m[1])):
        print(f"  {uses:5} {name} ({brings(name)})")


if __name__ == "__main__":
    main()
