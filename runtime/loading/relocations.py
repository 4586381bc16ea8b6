"""ELF relocations of x86-64 and AArch64, as far as our object files have them.

A rule computes the new word at a place from the old word and the target.  Places and targets count from the mapping's
base, which is page-aligned.  Ref: System V ABI, AMD64 supplement; ELF for the Arm 64-bit Architecture.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping

from tensordsl.base.records import record

PAGE_BYTES = 4096
_Rule = Callable[[int, int, int, int], int]  # the word, the place, the goal, the base -> the new word


@record
class Relocation:
    layout: struct.Struct
    rule: _Rule


@record
class Machine:
    """`number`: in ELF's header; `relocations`: by ELF's number; `stub`: code that jumps to the address in the word
    after it; `through`: the same through one more indirection."""

    number: int
    relocations: Mapping[int, Relocation]
    stub: bytes
    through: bytes


def _absolute(word: int, place: int, goal: int, base: int) -> int:
    return base + goal


def _relative(word: int, place: int, goal: int, base: int) -> int:
    return goal - place


def _branch(word: int, place: int, goal: int, base: int) -> int:
    """AArch64: words to the goal of a branch, in its last 26 bits."""
    words = goal - place >> 2
    if not -(1 << 25) <= words < 1 << 25:
        raise ValueError("a branch too far")
    return word & ~0x3FFFFFF | words & 0x3FFFFFF


def _page(word: int, place: int, goal: int, base: int) -> int:
    """AArch64: pages from this one to the goal's, of `adrp`."""
    pages = goal // PAGE_BYTES - place // PAGE_BYTES
    if not -(1 << 20) <= pages < 1 << 20:
        raise ValueError("a page too far")
    return word & ~0x60FFFFE0 | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5


def _in_page(scale: int) -> _Rule:
    """AArch64: the goal's place in its page, counted in 2**scale bytes, as an instruction's immediate operand."""

    def rule(word: int, place: int, goal: int, base: int) -> int:
        if goal % (1 << scale):
            raise ValueError("a goal that is not aligned")
        return word & ~(0xFFF << 10) | goal % PAGE_BYTES >> scale << 10

    return rule


_WORD, _OFFSET, _HALF, _INSTRUCTION = map(struct.Struct, ("<Q", "<q", "<i", "<I"))

MACHINES = {
    "x86_64": Machine(
        62,
        {
            1: Relocation(_WORD, _absolute),  # R_X86_64_64
            2: Relocation(_HALF, _relative),  # PC32
            4: Relocation(_HALF, _relative),  # PLT32
            24: Relocation(_OFFSET, _relative),  # PC64
        },
        b"\xff\x25\x02\0\0\0\0\0",  # jmp *2(%rip)
        b"\x4c\x8b\x1d\x09\0\0\0\x41\xff\x23\0\0\0\0\0\0",  # mov 9(%rip), %r11; jmp *(%r11)
    ),
    "aarch64": Machine(
        183,
        {
            257: Relocation(_WORD, _absolute),  # R_AARCH64_ABS64
            260: Relocation(_OFFSET, _relative),  # PREL64
            261: Relocation(_HALF, _relative),  # PREL32
            275: Relocation(_INSTRUCTION, _page),  # ADR_PREL_PG_HI21
            277: Relocation(_INSTRUCTION, _in_page(0)),  # ADD_ABS_LO12_NC
            278: Relocation(_INSTRUCTION, _in_page(0)),  # LDST8_ABS_LO12_NC
            284: Relocation(_INSTRUCTION, _in_page(1)),  # LDST16
            285: Relocation(_INSTRUCTION, _in_page(2)),  # LDST32
            286: Relocation(_INSTRUCTION, _in_page(3)),  # LDST64
            299: Relocation(_INSTRUCTION, _in_page(4)),  # LDST128
            282: Relocation(_INSTRUCTION, _branch),  # JUMP26
            283: Relocation(_INSTRUCTION, _branch),  # CALL26
        },
        b"\x50\0\0\x58\0\x02\x1f\xd6",  # ldr x16, 8; br x16
        b"\x90\0\0\x58\x10\x02\x40\xf9\0\x02\x1f\xd6\0\0\0\0",  # ldr x16, 16; ldr x16, [x16]; br x16
    ),
}
HERE = MACHINES.get(os.uname().machine) if hasattr(os, "uname") else None  # None: we load no code on this machine
