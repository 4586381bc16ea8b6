"""Which names that Theano programs use are there: `python tools/coverage.py usage.tsv [--all]`.

The table has a header and tab-separated columns; those used are kind, name, all_uses and spellings.  Kinds: "name" (a
dotted name that starts with `theano`), "method..." (an attribute of a variable, shared variable or function) and
"keyword" (`theano.function(updates=)`).  Each kind's share is weighted by its uses.  GPU back ends, Theano's own tests
and its helpers for old Pythons are no part of a tensor language and do not count.
"""

from __future__ import annotations

import csv
import importlib
import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

NOT_COUNTED = re.compile(r"\(py compat\)|cuda|gpuarray|theano\.tests|theano\.compat")

# What brings a missing name, first match wins.
REASONS = (
    ("random", r"[Rr]andom|rng|binomial|multinomial"),
    ("scan", r"scan|\bmap\b|fold|reduce\(|until|\.map$"),
    ("conv", r"conv|pool|images2neibs|neighbours|bilinear|Conv"),
    ("sparse", r"sparse|csr|csc|CS[RM]"),
    ("sort", r"sort|topk|searchsorted|unique|bincount"),
    ("linear algebra", r"linalg|inverse|det\b|cholesky|svd|eig|\bsolve|kron|matrix_dot"),
    ("custom ops", r"gof\.|\.Op$|as_op|Elemwise|optdb|optimizer|register|local_|DimShuffle|make_node|linker|scalar\."),
    ("complex numbers", r"complex|\.conj|\.real|\.imag|angle"),
    ("Fourier transforms", r"fft|fourier"),
    ("typed lists", r"typed_list"),
)


# Names under which the table merges several spellings.
MERGED = {"RandomStreams": "theano.tensor.shared_randomstreams.RandomStreams"}


@dataclass(frozen=True, slots=True)
class Row:
    kind: str
    name: str
    uses: int
    spellings: str


def read(path: str) -> list[Row]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Row(r["kind"].split("(")[0], r["name"], int(r["all_uses"]), r.get("spellings") or "") for r in rows]


# -- does it resolve -------------------------------------------------------------------------------------------------
def resolve(name: str) -> Any:
    """What the dotted `name` means here.  Raises AttributeError."""
    parts = name.split(".")
    assert parts[0] == "theano"
    found: Any = tensordsl
    path = "tensordsl"
    for part in parts[1:]:
        path += f".{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            if not inspect.ismodule(found):
                raise
            try:
                found = importlib.import_module(path)
            except ImportError:
                raise AttributeError(name) from None
    return found


def has_name(row: Row) -> bool:
    """Whether the name, or one of the full names it stands for, is there."""
    full = [s.rpartition(":")[0].strip() for s in row.spellings.split(";")] if "." not in row.name else [row.name]
    return any(_resolves(name) for name in full if name.startswith("theano"))


def _resolves(name: str) -> bool:
    try:
        resolve(name)
    except AttributeError:
        return False
    return True


def _receivers() -> list[Any]:
    x = T.matrix("x")
    f = tensordsl.function([x], x, mode="REFERENCE")
    return [x, tensordsl.shared(np.zeros(2)), (x + 1).owner, f]


def has_method(row: Row, receivers: Iterable[Any]) -> bool:
    name = row.name.lstrip(".")
    return any(hasattr(receiver, name) for receiver in receivers)


def has_keyword(row: Row, receivers: Iterable[Any]) -> bool:
    match = re.fullmatch(r"([\w.]+)\((\w+)=\)", row.name)
    if match is None:
        return False
    owner, keyword = match.groups()
    owner = MERGED.get(owner, owner)
    if owner.startswith("."):
        candidates = [getattr(type(r), owner[1:], None) or getattr(r, owner[1:], None) for r in receivers]
    elif owner.startswith("theano") and _resolves(owner):
        candidates = [resolve(owner)]
    else:
        return False
    return any(_accepts(function, keyword) for function in candidates if callable(function))


def _accepts(function: Callable[..., Any], keyword: str) -> bool:
    parameters = inspect.signature(function).parameters
    return keyword in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


# -- the report --------------------------------------------------------------------------------------------------------
def reason_for(name: str) -> str:
    return next((reason for reason, pattern in REASONS if re.search(pattern, name)), "not yet")


def report(rows: list[Row], shown: int | None) -> str:
    receivers = _receivers()
    checks: dict[str, Callable[[Row], bool]] = {
        "name": has_name,
        "method": lambda row: has_method(row, receivers),
        "keyword": lambda row: has_keyword(row, receivers),
    }
    lines = []
    for kind, check in checks.items():
        counted = [row for row in rows if row.kind == kind and not NOT_COUNTED.search(row.name)]
        missing = [row for row in counted if not check(row)]
        total, lost = sum(r.uses for r in counted), sum(r.uses for r in missing)
        lines.append(
            f"{kind}s: {len(counted) - len(missing)} of {len(counted)} resolve, "
            f"{100 * (total - lost) / max(total, 1):.1f} % of {total} uses"
        )
        by_reason: dict[str, list[Row]] = defaultdict(list)
        for row in missing:
            by_reason[reason_for(f"{row.name} {row.spellings}")].append(row)
        for reason, group in sorted(by_reason.items(), key=lambda item: -sum(r.uses for r in item[1])):
            group.sort(key=lambda row: -row.uses)
            names = ", ".join(f"{row.name} {row.uses}" for row in group[:shown])
            more = f", ... ({len(group)} in all)" if shown is not None and len(group) > shown else ""
            lines.append(f"  {reason} ({sum(r.uses for r in group)}): {names}{more}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    paths = [a for a in arguments if not a.startswith("-")]
    if len(paths) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    print(report(read(paths[0]), None if "--all" in arguments else 12))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
