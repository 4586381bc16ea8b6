"""What the compiler hands over: the object files of one function and the little that the run time must know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tensordsl.codegen import abi
from tensordsl.runtime import elf


@dataclass(slots=True)
class Executable:
    """Relocatable: the same bytes serve every process and every function made from them.

    meta (JSON values): name; args: [[dtype, [extent or None]]]; outputs: [[dtype, rank]]; kernels: the symbols in the
    order of the table; libraries: those of `codegen.abi.LIBRARY` that the program calls.  Other keys are the caller's.
    """

    meta: Mapping[str, Any]
    kernels: bytes
    program: bytes
    _code: tuple[elf.Code, list[int], int] | None = field(default=None, repr=False)

    def load(self) -> tuple[elf.Code, list[int], int]:
        """The mapping, the kernels' addresses, the program's address.  Raises elf.LoadError."""
        if self._code is None:
            wanted = list(self.meta["kernels"])
            objects: list[tuple[bytes, list[str]]] = [(self.kernels, wanted)] if wanted else []
            code, addresses = elf.load([*objects, (self.program, [abi.PROGRAM_SYMBOL])])
            self._code = code, addresses[0] if wanted else [], addresses[-1][0]
        return self._code

    def to_bytes(self) -> bytes:
        """For the disk cache."""
        import json

        head = json.dumps([dict(self.meta), len(self.kernels)]).encode()
        return len(head).to_bytes(4, "little") + head + self.kernels + self.program

    @staticmethod
    def from_bytes(blob: bytes) -> Executable:
        """Of `to_bytes`."""
        import json

        start = 4 + int.from_bytes(blob[:4], "little")
        meta, size = json.loads(blob[4:start])
        return Executable(meta, blob[start : start + size], blob[start + size :])
