"""What the compiler hands over: the object files of one function and the little that the run time must know of them."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tensordsl.codegen import abi
from tensordsl.runtime import elf


@dataclass(slots=True)
class Executable:
    """Relocatable: the same bytes serve every process and every function made from them.

    meta (JSON values): name; args: [[dtype, [extent or None]]]; outputs: [[dtype, rank]]; kernels: the symbols in the
    order of the table, where the addresses of `constants` follow them; libraries: those of `codegen.abi.LIBRARY` that
    the program calls.  Other keys are the caller's.
    """

    meta: Mapping[str, Any]
    kernels: bytes
    program: bytes
    constants: tuple[bytes, ...] = ()
    _code: tuple[elf.Code, list[int], int] | None = field(default=None, repr=False)

    def load(self) -> tuple[elf.Code, list[int], int]:
        """The mapping, the addresses of kernels and constants, the program's address.  Raises elf.LoadError."""
        if self._code is None:
            wanted = list(self.meta["kernels"])
            objects: list[tuple[bytes, list[str]]] = [(self.kernels, wanted)] if wanted else []
            code, addresses = elf.load([*objects, (self.program, [abi.PROGRAM_SYMBOL])])
            table = [*(addresses[0] if wanted else []), *map(_address, self.constants)]
            self._code = code, table, addresses[-1][0]
        return self._code

    def size(self) -> int:
        """Bytes of code and constants."""
        return sum(map(len, (self.kernels, self.program, *self.constants)))

    def to_bytes(self) -> bytes:
        """For the disk cache."""
        import json

        parts = self.kernels, self.program, *self.constants
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
        kernels, program, *constants = parts
        return Executable(meta, kernels, program, tuple(constants))


def _address(data: bytes) -> int:
    """Where the bytes lie, which stay there as long as the object lives."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
