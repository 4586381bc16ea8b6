"""The executable: the object files of one function and the table about them, as the compiler hands them over.

`Executable.load` maps them into the process; `to_bytes` and `from_bytes` are for the disk cache.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading import elf, library
from tensordsl.runtime.loading.late import Compile, load_late
from tensordsl.runtime.loading.layout import bytes_address


@record(eq=False, frozen=False)
class Executable:
    """Relocatable: the same bytes serve every process and every function made from them.

    meta (JSON values): name; args: [[dtype, [extent or None]]]; outputs: [[dtype, rank]]; plans: of each [the symbols
    of its kernels, or their names in the library, the word at which its descriptor begins in `constants[0]`], or None
    where it has no code yet; libraries: those of `abi.layouts.LIBRARY` that the program calls; late: the numbers of the
    plans that are compiled when a call requires them, from what `late` says of each.  Other keys are the caller's.
    """

    meta: Mapping[str, Any]
    kernels: bytes
    program: bytes
    constants: tuple[bytes, ...] = (b"",)
    late: tuple[bytes, ...] = ()
    _code: tuple[Any, list[int], int] | None = field(default=None, repr=False)

    def load(self) -> tuple[Any, list[int], int]:
        """(the mappings, the words of `ctx.kern` (0: absent), the program's address).  Raises elf.LoadError."""
        if self._code is None:
            plans = self.meta["plans"]
            wanted = [symbol for plan in plans if plan is not None for symbol in plan[0]]
            own = [symbol for symbol in wanted if not symbol.startswith(layouts.COMMON_KERNEL)]
            objects: list[tuple[bytes, list[str]]] = [(self.kernels, own)] if own else []
            code, addresses = elf.load([*objects, (self.program, [layouts.PROGRAM_SYMBOL])])
            known = dict(zip(own, addresses[0], strict=True)) if own else {}
            kernels = (ctypes.c_int64 * len(wanted))(*(known.get(s) or library.kernel(s) for s in wanted))
            at, words = ctypes.addressof(kernels), bytes_address(self.constants[0])
            table: list[int] = []
            for plan in plans:
                table += (0, 0) if plan is None else (at, words + 8 * plan[1])
                at += 0 if plan is None else 8 * len(plan[0])
            table += map(bytes_address, self.constants[1:])
            self._code = (code, kernels), table, addresses[-1][0]
        return self._code

    def supply(self, numbers: Sequence[int], compile: Compile) -> list[tuple[int, int]]:
        """Load the plans of these numbers in `late`: (place in the table, address) of each of their words."""
        table = self.load()[1]
        found = load_late([self.late[n] for n in numbers], compile)
        places = [layouts.PLAN_SIZE // 8 * self.meta["late"][n] for n in numbers]
        supplied = [pair for at, plan in zip(places, found, strict=True) for pair in enumerate(plan, at)]
        for place, address in reversed(supplied):  # kernels last: a plan that has them is complete
            table[place] = address
        return supplied

    def size(self) -> int:
        """Bytes of code and constants."""
        return sum(map(len, (self.kernels, self.program, *self.constants, *self.late)))

    def to_bytes(self) -> bytes:
        """For the disk cache."""
        return packed(dict(self.meta), (self.kernels, self.program, *self.constants, *self.late))

    @staticmethod
    def from_bytes(blob: bytes) -> Executable:
        """The inverse of `to_bytes`."""
        meta, (kernels, program, *rest) = unpacked(blob)
        constants = len(rest) - len(meta.get("late", ()))
        return Executable(meta, kernels, program, tuple(rest[:constants]), tuple(rest[constants:]))


def packed(meta: Any, parts: Sequence[bytes]) -> bytes:
    """JSON values and the blobs that they describe as one blob."""
    import json

    head = json.dumps([meta, [len(part) for part in parts]]).encode()
    return b"".join((len(head).to_bytes(4, "little"), head, *parts))


def unpacked(blob: bytes) -> tuple[Any, list[bytes]]:
    """The inverse of `packed`."""
    import json

    start = 4 + int.from_bytes(blob[:4], "little")
    meta, sizes = json.loads(blob[4:start])
    parts = []
    for size in sizes:
        parts.append(blob[start : start + size])
        start += size
    return meta, parts
