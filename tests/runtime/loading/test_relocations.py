"""What the loader makes of objects runs: as programs of one file without a library, on this machine or an emulated one."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from functools import cache

import llvmlite.binding as llvm
import pytest

from tensordsl.runtime.loading import elf
from tensordsl.runtime.loading.relocations import MACHINES, PAGE_BYTES

BASE, CELL, ENTRY = 1 << 22, 120, 128
# Machine code of exit(check(40)), where the call stands in it, and the call of what is so many bytes away.
STARTS = {
    # mov $40, %edi; call check; mov %eax, %edi; mov $60, %eax; syscall
    "x86_64": (b"\xbf\x28\0\0\0%s\x89\xc7\xb8\x3c\0\0\0\x0f\x05", 5, lambda far: b"\xe8" + struct.pack("<i", far - 5)),
    # mov x0, 40; bl check; mov x8, 93; svc 0
    "aarch64": (
        b"\0\x05\x80\xd2%s\xa8\x0b\x80\xd2\x01\0\0\xd4",
        4,
        lambda far: struct.pack("<I", 0x94000000 | far >> 2),
    ),
}
# Constants of each size that an instruction takes from its page, pages apart; addresses; calls, one of them by way of a
# word in memory; a word that stands for a symbol.
PROGRAM = f"""
@far = internal constant [{3 * PAGE_BYTES} x i8] zeroinitializer, align 64
@numbers = internal constant [4 x i64] [i64 1, i64 2, i64 3, i64 4], align 8
@word = internal constant i32 2
@short = internal constant i16 3
@byte = internal constant i8 4
@place = internal constant ptr getelementptr (i64, ptr @numbers, i64 3)
@floats = internal constant <2 x double> <double 0.75, double 5.25>, align 16
declare hidden void @other()
@given = external hidden constant i64
define i64 @first(ptr %p) noinline {{
  %x = load volatile i64, ptr %p
  ret i64 %x
}}
define internal i64 @eighth() noinline {{
  %x = load volatile i8, ptr getelementptr (i8, ptr @far, i64 {2 * PAGE_BYTES + 5})
  %y = zext i8 %x to i64
  ret i64 %y
}}
define i64 @check(i64 %start) {{
  %one = call i64 @first(ptr @numbers)
  %w = load volatile i32, ptr @word
  %two = zext i32 %w to i64
  %s = load volatile i16, ptr @short
  %three = zext i16 %s to i64
  %b = load volatile i8, ptr @byte
  %four = zext i8 %b to i64
  %p = load volatile ptr, ptr @place
  %q = load i64, ptr %p
  %f = load volatile <2 x double>, ptr @floats
  %low = extractelement <2 x double> %f, i32 0
  %high = extractelement <2 x double> %f, i32 1
  %sum = fadd double %low, %high
  %six = fptosi double %sum to i64
  %zero = call i64 @eighth()
  %t1 = add i64 %start, %one
  %t2 = add i64 %t1, %two
  %t3 = add i64 %t2, %three
  %t4 = add i64 %t3, %four
  %t5 = add i64 %t4, %q
  %t6 = add i64 %t5, %six
  %t7 = add i64 %t6, %zero
  %again = call i64 @other(ptr @word)
  %less = and i64 %again, 255
  %t8 = add i64 %t7, %less
  %last = load volatile i64, ptr @given
  %t9 = add i64 %t8, %last
  ret i64 %t9
}}
"""


@cache
def targets():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def compiled(text, machine, opt):
    targets()
    made = llvm.Target.from_triple(f"{machine}-unknown-linux-gnu")
    options = {"cpu": "generic"} if machine == "aarch64" else {}
    target = made.create_target_machine(opt=opt, reloc="pic", codemodel="small", **options)
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = made.triple, str(target.target_data)
    return target.emit_object(module)


def linked(data, machine):
    """The image of a program that ends with what `check` gives for 40, mapped at BASE; it follows its ELF header."""
    known = {"other": elf.jump(BASE + CELL, MACHINES[machine]), "given": elf.word(9)}
    item = elf._Object(data, PAGE_BYTES, MACHINES[machine], known)
    image = bytearray(item.end)
    item.copy_to(image)
    item.relocate(image, BASE)
    text, at, call = STARTS[machine]
    start = text % call(item.globals(0)["check"] - ENTRY - at)
    image[ENTRY : ENTRY + len(start)] = start
    numbers = 2, MACHINES[machine].number, 1, BASE + ENTRY, 64, 0, 0, 64, 56, 1, 64, 0, 0
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", *numbers)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, len(image), len(image), 1 << 16)
    image[:CELL] = header + segment
    image[CELL:ENTRY] = elf.word(BASE + item.globals(0)["first"])
    return bytes(image)


@pytest.mark.parametrize("opt", [0, 1, 2])
@pytest.mark.parametrize("machine", STARTS)
def test_a_linked_program_runs(tmp_path, machine, opt):
    runs = (
        []
        if os.uname().machine == machine
        else [shutil.which(f"qemu-{machine}-static") or shutil.which(f"qemu-{machine}")]
    )
    if None in runs:
        pytest.skip(f"no emulator of {machine} (qemu-user-static)")
    program = tmp_path / "program"
    program.write_bytes(linked(compiled(PROGRAM, machine, opt), machine))
    program.chmod(0o700)
    assert subprocess.run([*runs, program]).returncode == 40 + 1 + 2 + 3 + 4 + 4 + 6 + 2 + 9


def test_what_is_too_far_or_not_aligned_is_refused():
    rules = {number: known.rule for number, known in MACHINES["aarch64"].relocations.items()}
    for number, goal in ((283, 1 << 27), (282, -(1 << 27) - 4), (275, 1 << 32), (286, 4), (299, 8)):
        with pytest.raises(ValueError):
            rules[number](0, 0, goal, 0)
    assert rules[283](0x94000000, 0, (1 << 27) - 4, 0) == 0x95FFFFFF
    assert rules[275](0x90000000, PAGE_BYTES - 4, 5 * PAGE_BYTES, 0) == 0xB0000020  # adrp x0, 5 pages on
