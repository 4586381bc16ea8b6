"""What the compiler hands over: the object files of one function and the little that the run time must know of them."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensordsl.codegen import abi
from tensordsl.runtime import elf
from tensordsl.runtime.late import Compile, load_late


@dataclass(slots=True)
class Executable:
    """Relocatable: the same bytes serve every process and every function made from them.

    meta (JSON values): name; args: [[dtype, [extent or None]]]; outputs: [[dtype, rank]]; kernels: the symbols in the
    order of the table, where the addresses of `constants` follow them; libraries: those of `codegen.abi.LIBRARY` that
    the program calls.  late: [place in the table, number] of the kernels of each plan in `late`, which have no symbols:
    they are compiled when a call requires them.  Other keys are the caller's.
    """

    meta: Mapping[str, Any]
    kernels: bytes
    program: bytes
    constants: tuple[bytes, ...] = ()
    late: tuple[bytes, ...] = ()
    _code: tuple[elf.Code, list[int], int] | None = field(default=None, repr=False)

    def load(self) -> tuple[elf.Code, list[int], int]:
        """The mapping, the addresses of kernels (0: absent) and constants, the program's address.  Raises
        elf.LoadError."""
        if self._code is None:
            symbols = list(self.meta["kernels"])
            wanted = [s for s in symbols if s is not None]
            objects: list[tuple[bytes, list[str]]] = [(self.kernels, wanted)] if wanted else []
            code, addresses = elf.load([*objects, (self.program, [abi.PROGRAM_SYMBOL])])
            found = iter(addresses[0])
            table = [*(0 if s is None else next(found) for s in symbols), *map(_address, self.constants)]
            self._code = code, table, addresses[-1][0]
        return self._code

    def supply(self, numbers: Sequence[int], compile: Compile) -> list[tuple[int, int]]:
        """Have the plans of these numbers in `late`: (place in the table, address) of each of their kernels."""
        table = self.load()[1]
        places = [self.meta["late"][n] for n in numbers]
        found = load_late([self.late[n] for n in numbers], [count for _, count in places], compile)
        supplied = [pair for (at, _), addresses in zip(places, found, strict=True) for pair in enumerate(addresses, at)]
        for place, address in supplied:
            table[place] = address
        return supplied

    def size(self) -> int:
        """Bytes of code and constants."""
        return sum(map(len, (self.kernels, self.program, *self.constants, *self.late)))

    def to_bytes(self) -> bytes:
        """For the disk cache."""
        import json

        parts = self.kernels, self.program, *self.constants, *self.late
        head = json.dumps([dict(self.meta), [len(part) for part in parts]]).encode()
        return b"".join((len(head).to_bytes(4, "little"), head, *parts))

    @staticmethod
    def from_bytes(blob: bytes) -> Executable:
        """Of `to_bytes`."""
        import json

        start = 4 + int.from_bytes(blob[:4], "little")
        meta, sizes = json.loads(blob[4:start])
        parts = []
        for size in sizes:
            parts.append(blob[start : start + size])
            start += size
        kernels, program, *rest = parts
        constants = len(rest) - len(meta.get("late", ()))
        return Executable(meta, kernels, program, tuple(rest[:constants]), tuple(rest[constants:]))


def _address(data: bytes) -> int:
    """Where the bytes lie, which stay there as long as the object lives."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
