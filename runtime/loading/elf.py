"""A loader of object files without a linker: ELF64 relocatables into one private mapping.

The mapping is writable while it is filled and executable afterwards, never both; that change also makes Linux
synchronise AArch64's instruction caches.  External symbols: the caller's `known` ones, and fma of the mathematics
library for processors without the instruction, which is correct and slow.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tensordsl.runtime.loading.layout import function_address, libc
from tensordsl.runtime.loading.relocations import HERE, Machine

SECTION = struct.Struct("<IIQQQQIIQQ")  # name, type, flags, address, offset, size, link, info, alignment, entry size
SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
RELOCATION = struct.Struct("<QQq")  # offset, info, addend
SYMTAB, RELA, NOBITS = 2, 4, 8  # types of sections: SHT_*
WRITE, ALLOC = 1, 2  # flags of sections: SHF_*
RELOCATABLE = 1  # the type of the file: ET_REL
ADDRESS = struct.Struct("<Q")
Known = Mapping[str, bytes]  # external symbol -> the bytes mapped for it: `jump`, or `word`
NOTHING: Known = MappingProxyType({})

EXTERNAL = ("fma", "fmaf")
NOWHERE = "code is loaded on x86-64 and AArch64 only"

_mprotect = ctypes.CDLL(None, use_errno=True).mprotect
_mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class LoadError(Exception):
    """An object file that we do not load: damaged, of another machine, or with an external symbol."""


# A mapping goes with its last reference and with nothing else: the garbage collector neither finalises nor clears it.
# Who calls a function holds it, so that a thread that is in the code when the interpreter ends keeps it mapped.
Code = mmap.mmap


class _Object:
    """The parsed tables of one file, and where its sections go."""

    def __init__(self, data: bytes, start: int, machine: Machine, known: Known = NOTHING) -> None:
        kind = data[:6], data[16:20]
        if len(data) < 64 or kind != (b"\x7fELF\x02\x01", struct.pack("<HH", RELOCATABLE, machine.number)):
            raise LoadError("not an ELF64 relocatable of this machine")
        self.data, self.machine, self.known = data, machine, known
        try:
            self._parse(start)
        except (struct.error, IndexError, ValueError, StopIteration) as error:
            raise LoadError(f"damaged object file: {error}") from error

    def _parse(self, start: int) -> None:
        data = self.data
        (table,) = struct.unpack_from("<Q", data, 40)
        size, count, names = struct.unpack_from("<HHH", data, 58)
        self.sections = [SECTION.unpack_from(data, table + i * size) for i in range(count)]
        self.end, self.place = start, {}
        for i, (name, kind, flags, _, offset, length, _, _, alignment, _) in enumerate(self.sections):
            title = self._string(self.sections[names][4], name)
            if not flags & ALLOC or not length or title == ".eh_frame":
                continue
            if kind == NOBITS or flags & WRITE and not title.startswith(".data.rel.ro"):
                raise LoadError(f"writable section {title}")
            if offset + length > len(data):
                raise LoadError("damaged object file: a section past its end")
            self.end = -(-self.end // max(1, alignment)) * max(1, alignment)
            self.place[i] = self.end
            self.end += length
        symtab = next(s for s in self.sections if s[1] == SYMTAB)
        self.strings = self.sections[symtab[6]][4]
        self.symbols = list(SYMBOL.iter_unpack(data[symtab[4] : symtab[4] + symtab[5]]))
        self.stubs: list[tuple[int, bytes]] = []  # of external symbols: the place, and its bytes
        self.goals: dict[int, int] = {}  # symbol -> its place
        for i, (name, _, _, section, value, _) in enumerate(self.symbols):
            if section in self.place:
                self.goals[i] = self.place[section] + value
            elif section == 0 and name:
                self.goals[i] = self.end = -(-self.end // 16) * 16
                title = self._string(self.strings, name)
                stub = self.known.get(title) or self.machine.stub + word(_external(title))
                self.stubs.append((self.end, stub))
                self.end += len(stub)

    def _string(self, table: int, offset: int) -> str:
        return self.data[table + offset : self.data.index(b"\0", table + offset)].decode()

    def globals(self, base: int) -> dict[str, int]:
        return {
            self._string(self.strings, name): base + self.place[section] + value
            for name, info, _, section, value, _ in self.symbols
            if info >> 4 == 1 and section in self.place
        }

    def copy_to(self, code: Code) -> None:
        for i, place in self.place.items():
            offset, length = self.sections[i][4:6]
            code[place : place + length] = self.data[offset : offset + length]
        for place, stub in self.stubs:
            code[place : place + len(stub)] = stub

    def relocate(self, code: Code, base: int) -> None:
        relocations = self.machine.relocations
        for _, kind, _, _, offset, length, _, target, _, _ in self.sections:
            if kind != RELA or target not in self.place:
                continue
            start, room = self.place[target], self.sections[target][5]
            for where, info, addend in RELOCATION.iter_unpack(self.data[offset : offset + length]):
                known, goal = relocations.get(info & 0xFFFFFFFF), self.goals.get(info >> 32)
                if known is None or goal is None:
                    raise LoadError(f"relocation {info:#x}")
                layout, place = known.layout, start + where
                if where + layout.size > room:
                    raise LoadError("relocation past the end of its section")
                (word,) = layout.unpack_from(code, place)
                layout.pack_into(code, place, known.rule(word, place, goal + addend, base))


def word(value: int) -> bytes:
    """The bytes for an external symbol of data."""
    return ADDRESS.pack(value)


def jump(cell: int, machine: Machine | None = HERE) -> bytes:
    """A stub that jumps to the function whose address is in the word at `cell` when it is called."""
    if machine is None:
        raise LoadError(NOWHERE)
    return machine.through + word(cell)


def _external(name: str) -> int:
    """The address of a function of the mathematics library."""
    if name not in EXTERNAL:
        raise LoadError(f"external symbol {name}")
    library = libc if hasattr(libc, name) else ctypes.CDLL("libm.so.6")
    return function_address(library, name)


def load(objects: Sequence[tuple[bytes, Sequence[str]]], known: Known = NOTHING) -> tuple[Code, list[list[int]]]:
    """Map the objects; per object the addresses of the wanted symbols.  known: further external symbols.

    Raises LoadError for what is damaged, has an external symbol or lacks a wanted one.
    """
    code, tables = load_globals([data for data, _ in objects], known)
    try:
        return code, [[table[name] for name in wanted] for table, (_, wanted) in zip(tables, objects, strict=True)]
    except KeyError as error:
        raise LoadError(f"the object file lacks {error}") from None


def load_globals(objects: Sequence[bytes], known: Known = NOTHING) -> tuple[Code, list[dict[str, int]]]:
    """The same with the addresses of all global symbols of each object."""
    if HERE is None:
        raise LoadError(NOWHERE)
    parsed: list[_Object] = []
    end = 0
    for data in objects:
        parsed.append(_Object(data, -(-end // 64) * 64, HERE, known))
        end = parsed[-1].end
    size = max(1, -(-end // mmap.PAGESIZE)) * mmap.PAGESIZE
    flags, access = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_WRITE
    try:
        code = mmap.mmap(-1, size, flags=flags, prot=access)
    except OSError as error:
        raise MemoryError(f"no memory for {size} bytes of code") from error
    base = ctypes.addressof(ctypes.c_char.from_buffer(code))
    tables = []
    for item in parsed:
        item.copy_to(code)
        try:
            item.relocate(code, base)
            tables.append(item.globals(base))
        except (struct.error, IndexError, ValueError) as error:
            raise LoadError(f"damaged object file: {error}") from error
    if _mprotect(base, size, mmap.PROT_READ | mmap.PROT_EXEC):
        if ctypes.get_errno() == errno.ENOMEM:
            raise MemoryError(f"no memory for {size} bytes of code")
        raise LoadError("the system does not allow memory to become executable")
    return code, tables
