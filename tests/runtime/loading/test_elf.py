"""The loader takes what we emit and refuses everything else."""

from __future__ import annotations

import ctypes

import pytest

from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.runtime.loading import elf

ANSWER = "define i64 @answer(i64 %x) {\n %y = add i64 %x, 41\n ret i64 %y\n}\n"
CALLER = """
@table = internal constant [3 x i64] [i64 5, i64 6, i64 7], align 64
@pointer = internal constant ptr @table
define internal i64 @inner(i64 %i) noinline {
  %t = load ptr, ptr @pointer
  %p = getelementptr i64, ptr %t, i64 %i
  %v = load i64, ptr %p
  ret i64 %v
}
define i64 @outer(i64 %i) {
  %v = call i64 @inner(i64 %i)
  ret i64 %v
}
define double @half(double %x) {
  %y = fmul double %x, 0.5
  ret double %y
}
"""


def call(address, *args, kind=ctypes.c_int64):
    return ctypes.CFUNCTYPE(kind, *[kind] * len(args))(address)(*args)


@pytest.mark.parametrize("opt", [0, 2])
def test_code_constants_and_calls(opt):
    objects = [(compile_object(ANSWER, opt), ["answer"]), (compile_object(CALLER, opt), ["half", "outer"])]
    code, [[answer], [half, outer]] = elf.load(objects)
    assert call(answer, 1) == 42 and [call(outer, i) for i in range(3)] == [5, 6, 7]
    assert call(half, 3.0, kind=ctypes.c_double) == 1.5
    assert len(code) % 4096 == 0


def protection(address):
    with open("/proc/self/maps") as file:
        for line in file:
            low, high = (int(x, 16) for x in line.split()[0].split("-"))
            if low <= address < high:
                return line.split()[1]
    return None


def test_the_mapping_is_not_writable_and_goes_with_its_owner():
    code, [[answer]] = elf.load([(compile_object(ANSWER), ["answer"])])
    assert protection(answer).startswith("r-x")
    del code
    assert protection(answer) != "r-xp" or not protection(answer)


def test_external_symbols_are_refused():
    data = compile_object("declare double @sin(double)\ndefine double @f(double %x) {\n"
                          " %y = call double @sin(double %x)\n ret double %y\n}\n")  # fmt: skip
    with pytest.raises(elf.LoadError, match="external symbol sin"):
        elf.load([(data, ["f"])])


def test_writable_data_is_refused():
    text = "@state = internal global i64 1\ndefine i64 @f() {\n %x = load i64, ptr @state\n %y = add i64 %x, 1\n"
    data = compile_object(text + " store i64 %y, ptr @state\n ret i64 %x\n}\n", 0)
    with pytest.raises(elf.LoadError, match="writable section"):
        elf.load([(data, ["f"])])


def test_other_machines_are_an_error(monkeypatch):
    monkeypatch.setattr(elf, "HERE", None)
    with pytest.raises(elf.LoadError, match="x86-64 and AArch64 only"):
        elf.load([(compile_object(ANSWER), ["answer"])])


def test_missing_symbols_are_an_error():
    with pytest.raises(elf.LoadError, match="lacks 'other'"):
        elf.load([(compile_object(ANSWER), ["other"])])


def test_damaged_files_are_errors_not_crashes():
    data = compile_object(CALLER)
    with pytest.raises(elf.LoadError):
        elf.load([(b"", ["outer"])])
    for size in range(0, len(data), 7):
        with pytest.raises(elf.LoadError):
            elf.load([(data[:size], ["outer"])])
    with pytest.raises(elf.LoadError, match="not an ELF64"):
        elf.load([(data[:18] + b"\x08\x00" + data[20:], ["outer"])])  # of MIPS
