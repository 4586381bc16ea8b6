"""The compiler of texts leaves LLVM as it was for its other users in the process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import tensordsl.tensor as T
from tensordsl.codegen.compiler import modules
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.llvm import compile as target
from tensordsl.codegen.target import machine

V = T.dvector("v")
ROOT = Path(__file__).resolve().parents[3]

LOOP = """
define void @fill(ptr %p, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %by = mul i64 %i, 24
  %at = getelementptr i8, ptr %p, i64 %by
  store i64 %i, ptr %at
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""


def plainly():
    """The object as anybody else in the process gets it."""
    llvm, triple, layout, machines = target._target()
    module = llvm.parse_assembly(LOOP)
    module.triple, module.data_layout = triple, layout
    return machines[1].emit_object(module)


def test_switches_hold_for_kernels_alone():
    before = plainly()
    assert target.compile_object(LOOP, 1) != before  # has its strength not reduced
    assert plainly() == before
    with pytest.raises(ZeroDivisionError), target._with_switches(target._switches()):
        raise ZeroDivisionError
    assert plainly() == before


CHAIN = """
define double @chain(ptr %p, i64 %n, double %a) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %s = phi double [ 0.0, %entry ], [ %x, %loop ]
  %at = getelementptr i64, ptr %p, i64 %i
  %v = load i64, ptr %at
  %is_less = icmp slt i64 %v, %i
  %b = fdiv double %s, %a
  %c = fdiv double %b, %a
  %d = fdiv double %c, %a
  %x = select i1 %is_less, double %d, double %s
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret double %x
}
"""

IN_BOTH_ORDERS = """
from tensordsl.codegen.llvm.compile import compile_object
from tests.codegen.llvm.test_compile import CHAIN, LOOP
before = [compile_object(text, level) for text in (CHAIN, LOOP) for level in (0, 2)]
kernels = [compile_object(text, 1, forward=forward) for text in (CHAIN, LOOP) for forward in (False, True)]
assert [compile_object(text, level) for text in (CHAIN, LOOP) for level in (0, 2)] == before
assert [compile_object(text, 1, forward=forward) for text in (CHAIN, LOOP) for forward in (False, True)] == kernels
"""


def test_objects_do_not_depend_on_what_was_compiled_before():
    """A process of its own: in this one kernels were compiled.  By default LLVM leaves the select of CHAIN as it is."""
    subprocess.run([sys.executable, "-c", IN_BOTH_ORDERS], check=True, cwd=ROOT)


def test_an_llvm_that_may_not_know_the_switches_is_not_told_of_them(monkeypatch):
    monkeypatch.setattr(target, "NEWEST_KNOWN_LLVM", 1)
    assert target.compile_object(LOOP, 1) == plainly()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_compiles_though_another_thread_did_at_the_fork():
    running, begun = [True], threading.Event()

    def compile_on():
        while running:
            target.compile_object(LOOP)
            begun.set()

    thread = threading.Thread(target=compile_on)
    thread.start()
    try:
        begun.wait()
        for k in range(10):
            time.sleep(0.001 * k)
            child = os.fork()
            if not child:
                signal.alarm(20)
                target.compile_object(LOOP, 1)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        running.clear()
        thread.join()


def test_switches_hold_where_there_are_no_files_in_memory(monkeypatch):
    with_file, before = target.compile_object(LOOP, 1), plainly()
    monkeypatch.setattr(target.os.path, "exists", lambda name: False)
    assert target.compile_object(LOOP, 1) == with_file
    monkeypatch.delattr(target.os, "memfd_create")
    assert target.compile_object(LOOP, 1) == with_file
    assert plainly() == before


def test_a_text_may_keep_a_pass():
    kept = target.compile_object(LOOP, 1, ["disable-lsr"])
    assert kept != target.compile_object(LOOP, 1)
    assert "disable-lsr" not in target._switches(["disable-lsr"])


def test_who_calls_chooses_the_scheduler():
    usual, forward = target._switches(), target._switches(forward=True)
    assert usual[target.SCHEDULER] == (target.DEFAULT_SCHEDULER,) * 2
    assert forward[target.SCHEDULER] == (target.FORWARD_SCHEDULER, target.DEFAULT_SCHEDULER) or machine.is_arm()
    assert target.SCHEDULER not in target._switches([target.SCHEDULER], forward=True)


@pytest.mark.parametrize(
    ("value", "forward"),
    [(V.sum(), True), (V * V, False), (T.exp(V), False), (T.exp(V).sum(), False), (V[0] * 2, False)],
    ids=str,
)
def test_kernels_say_whether_loads_are_scheduled_forward(value, forward):
    """As a search of the text would find: a load longer than a register, and no fma."""
    _, program, _ = make_program("f", [V], [], [value], [], True)
    kernels = [plan.kernels for plan in program.plans]
    text = modules.module_text(kernels)
    lengths = [8 * int(n) for n in re.findall(r" = load <(\d+) x (?:double|i64)>", text)]
    assert forward == modules.loads_forward(kernels, machine.native_width())
    assert forward == (max(lengths, default=0) > machine.native_width() and "@llvm.fma." not in text)
