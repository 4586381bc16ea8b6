"""LAPACK's and BLAS's functions for the checking interpreter: SciPy's, on its memory, at the addresses of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.interpret import Machine
from tensordsl.codegen.kernel_ir.ir import Module

blas, lapack = pytest.importorskip("scipy.linalg.blas"), pytest.importorskip("scipy.linalg.lapack")


class Lapack:
    """The functions of one dtype, with integers of so many bytes."""

    def __init__(self, dtype: str, int_bytes: int) -> None:
        self.dtype, self.letter = np.dtype(dtype), layouts.LAPACK_LETTERS.get(dtype, "")
        self.real, self.is_complex = np.zeros(0, dtype).real.dtype, self.dtype.kind == "c"
        self.integer = np.dtype(f"i{int_bytes}")
        self.machine: Machine | None = None

    def externals(self) -> dict[str, Callable[..., Any]]:
        names = layouts.LAPACK_NAMES if self.letter else ()
        return {layouts.lapack_symbol(name, self.dtype.name): getattr(self, name) for name in names}

    def table(self) -> Any:
        """Of addresses, for the machine."""
        words = np.zeros(layouts.LAPACK_SIZE // 8, np.int64)
        words[0] = self.integer.itemsize
        for name in layouts.LAPACK_NAMES if self.letter else ():
            symbol = layouts.lapack_symbol(name, self.dtype.name)
            words[layouts.LAPACK[name, self.dtype.name] // 8] = self.machine.symbols[symbol]
        return words

    # -- memory
    def text(self, at: int) -> str:
        return chr(self.machine.array(at, np.int8, 1)[0])

    def number(self, at: int) -> int:
        return int(self.machine.array(at, self.integer, 1)[0])

    def values(self, at: int, count: int, dtype: Any = None) -> Any:
        return self.machine.array(at, dtype or self.dtype, count)

    def matrix(self, at: int, m: int, n: int, lead: int) -> Any:
        """Its columns are adjacent, `lead` numbers from one to the next."""
        assert lead >= max(1, m)
        columns = [self.values(at + j * lead * self.dtype.itemsize, m) for j in range(n)]
        return np.array(columns, self.dtype).reshape(n, m).T

    def put(self, at: int, a: Any, lead: int) -> None:
        for j in range(a.shape[1]):
            self.machine.put(at + j * lead * self.dtype.itemsize, a[:, j].astype(self.dtype))

    def tell(self, info: int, value: int) -> None:
        self.machine.put(info, self.integer.type(value))

    # -- functions, with LAPACK's parameters; `_`: the lengths of texts
    def potrf(self, uplo: int, n: int, a: int, lda: int, info: int, _: int) -> None:
        n, lead = self.number(n), self.number(lda)
        given = self.matrix(a, n, n, lead)
        found, failed = getattr(lapack, self.letter + "potrf")(given, lower=self.text(uplo) == "L", clean=0)
        self.put(a, found, lead)
        self.tell(info, failed)

    def trsm(self, side: int, uplo: int, trans: int, diag: int, m: int, n: int, alpha: int, *rest: int) -> None:
        (a, lda, b, ldb), (m, n) = rest[:4], (self.number(m), self.number(n))
        from_right, lead = self.text(side) == "R", self.number(ldb)
        size = n if from_right else m
        found = getattr(blas, self.letter + "trsm")(
            self.values(alpha, 1)[0], self.matrix(a, size, size, self.number(lda)), self.matrix(b, m, n, lead),
            side=from_right, lower=self.text(uplo) == "L", trans_a="NT".index(self.text(trans)),
            diag=self.text(diag) == "U",
        )  # fmt: skip
        self.put(b, found, lead)

    def trsv(self, uplo: int, trans: int, diag: int, n: int, a: int, lda: int, x: int, step: int, *_: int) -> None:
        n, step = self.number(n), self.number(step)
        places = [x + i * step * self.dtype.itemsize for i in range(n)]
        given = np.array([self.values(place, 1)[0] for place in places])
        found = getattr(blas, self.letter + "trsv")(
            self.matrix(a, n, n, self.number(lda)), given, lower=self.text(uplo) == "L",
            trans="NT".index(self.text(trans)), diag=self.text(diag) == "U",
        )  # fmt: skip
        for place, value in zip(places, found, strict=True):
            self.machine.put(place, value)

    def gemm(self, of_a: int, of_b: int, m: int, n: int, k: int, alpha: int, *rest: int) -> None:
        a, lda, b, ldb, beta, c, ldc = rest[:7]
        m, n, k, lead = (self.number(x) for x in (m, n, k, ldc))

        def given(at: int, trans: int, rows: int, columns: int, lda: int) -> Any:
            shape = (columns, rows) if self.text(trans) == "T" else (rows, columns)
            x = self.matrix(at, *shape, self.number(lda))
            return x.T if self.text(trans) == "T" else x

        product = given(a, of_a, m, k, lda) @ given(b, of_b, k, n, ldb)
        old = self.matrix(c, m, n, lead)
        self.put(c, self.values(alpha, 1) * product + self.values(beta, 1) * old, lead)

    def getrf(self, m: int, n: int, a: int, lda: int, pivots: int, info: int) -> None:
        lead = self.number(lda)
        given = self.matrix(a, self.number(m), self.number(n), lead)
        found, rows, failed = getattr(lapack, self.letter + "getrf")(given)
        self.put(a, found, lead)
        self.machine.put(pivots, (rows + 1).astype(self.integer))
        self.tell(info, failed)

    def geqrf(self, m: int, n: int, a: int, lda: int, tau: int, work: int, lwork: int, info: int) -> None:
        lead = self.number(lda)
        found, factors, *_ = getattr(lapack, self.letter + "geqrf")(
            self.matrix(a, self.number(m), self.number(n), lead)
        )
        self.put(a, found, lead)
        self.machine.put(tau, factors)
        self.worked(work, lwork, info)

    def orgqr(self, m: int, n: int, k: int, a: int, lda: int, tau: int, work: int, lwork: int, info: int) -> None:
        m, n, k, lead = (self.number(x) for x in (m, n, k, lda))
        name = layouts.lapack_symbol("orgqr", self.dtype.name)
        self.put(a, getattr(lapack, name)(self.matrix(a, m, n, lead), self.values(tau, k))[0], lead)
        self.worked(work, lwork, info)

    def worked(self, work: int, lwork: int, info: int) -> None:
        """The work space is written, so it has to have the bytes that are told."""
        self.machine.put(work, np.zeros(self.number(lwork), self.dtype))
        self.tell(info, 0)

    def gesdd(self, job: int, m: int, n: int, a: int, lda: int, s: int, u: int, ldu: int, v: int, *rest: int) -> None:
        ldv, work, lwork, *_, info = rest[:-1]
        given = self.matrix(a, self.number(m), self.number(n), self.number(lda))
        has_vectors, is_full = self.text(job) != "N", self.text(job) == "A"
        if np.isnan(given).any():
            self.tell(info, 1)
            return
        of_u, values, of_v, failed = getattr(lapack, self.letter + "gesdd")(
            given, compute_uv=has_vectors, full_matrices=is_full
        )
        self.worked(work, lwork, info)
        self.machine.put(s, values.astype(self.real))
        if has_vectors:
            self.put(u, of_u, self.number(ldu))
            self.put(v, of_v, self.number(ldv))
        self.tell(info, failed)

    def syevd(self, job: int, uplo: int, n: int, a: int, lda: int, w: int, work: int, lwork: int, *rest: int) -> None:
        n, lead, name = self.number(n), self.number(lda), layouts.lapack_symbol("syevd", self.dtype.name)
        *_, info = rest[:-2]
        has_vectors, given = self.text(job) == "V", self.matrix(a, n, n, lead)
        if np.isnan(given).any():
            self.tell(info, 1)
            return
        values, vectors, failed = getattr(lapack, name)(
            given, compute_v=has_vectors, lower=self.text(uplo) == "L"
        )  # fmt: skip
        self.worked(work, lwork, info)
        self.machine.put(w, values.astype(self.real))
        if has_vectors:
            self.put(a, vectors, lead)
        self.tell(info, failed)

    def geev(self, left: int, right: int, n: int, a: int, lda: int, *rest: int) -> None:
        values, rest = (rest[:1], rest[1:]) if self.is_complex else (rest[:2], rest[2:])
        _, _, vectors, lead, work, lwork, *_, info = rest[:-2]
        n, has_vectors = self.number(n), self.text(right) == "V"
        given = self.matrix(a, n, n, self.number(lda))
        *found, _, of_right, failed = getattr(lapack, self.letter + "geev")(given, compute_vl=0, compute_vr=has_vectors)
        self.worked(work, lwork, info)
        for place, numbers in zip(values, found, strict=True):
            self.machine.put(place, numbers)
        if has_vectors:
            self.put(vectors, of_right, self.number(lead))
        self.tell(info, failed)


class Room:
    """A machine for each call of an entry; the functions that ran in all of them."""

    def __init__(self, dtype: str, *modules: Module, int_bytes: int = 8) -> None:
        self.dtype, self.modules, self.int_bytes = dtype, modules, int_bytes
        self.ran: set[str] = set()

    def call(self, name: str, arrays: list[Any], scratch: int = 0, stack: str = "main") -> list[Any]:
        """What stands in the arrays afterwards, and the number of the first matrix that has failed.

        arrays: contiguous, or with their last axes exchanged; scratch: numbers, in addition to the head; stack: that of
        the main thread, another one, or none where one is needed."""
        module = next(m for m in self.modules if name in {f.signature.name for f in m.functions})
        of_lapack = Lapack(self.dtype, self.int_bytes)

        def on_stack(function: int, parameter: int, top: int, none: int) -> Any:
            assert top == stack_place + layouts.ALTERNATE_STACK_BYTES and none == 0
            return machine.call(function, [parameter])

        def take_stack(table: int, size: int) -> int:
            assert (table, size) == (rt, 0)
            return 0 if stack == "none" else stack_place

        machine = Machine(module, {
            **of_lapack.externals(), layouts.POLL: lambda: None, "pthread_getspecific": lambda key: 0,
            "take_stack": take_stack, "give_stack": lambda table, place, size: None, "call_on_stack": on_stack,
        })  # fmt: skip
        of_lapack.machine, stack_place = machine, 1 << 40
        table = np.zeros(max(layouts.RT.values()) // 8 + 1, np.int64)
        table[layouts.RT["lapack"] // 8] = machine.place(of_lapack.table())
        table[layouts.RT["pthread_getspecific"] // 8] = machine.symbols["pthread_getspecific"]
        table[layouts.RT["main_stack_bytes"] // 8] = (1 << 50) if stack == "main" else 0
        rt = machine.place(table)
        part = np.dtype(self.dtype).itemsize // (2 if self.dtype.startswith("complex") else 1)
        kept = [a if a.flags.c_contiguous else a.swapaxes(-1, -2) for a in arrays]
        places = [machine.place(a, align=min(part, a.itemsize)) for a in kept]
        assert all(a.flags.c_contiguous for a in kept)
        head = layouts.LINALG_HEAD_BYTES // 8
        size = -(-scratch * np.dtype(self.dtype).itemsize // 8)
        buffer = machine.place(np.full(head + size, -7), align=16, is_written=False)
        machine.put(buffer, np.int64(0))
        info = machine.place(np.array([layouts.NO_FAILURE]))
        words = [n for a in arrays for n in (*a.shape, *a.strides)] + [layouts.LINALG_HEAD_BYTES + 8 * size]
        bases = machine.place(np.array([*places, info, buffer, rt]))
        machine.run(name, bases, machine.place(np.array(words)), arrays[0].ndim)
        self.ran |= machine.ran
        found = []
        for a, of, place in zip(arrays, kept, places, strict=True):
            x = machine.array(place, a.dtype, a.size).reshape(of.shape)
            found.append(x if of is a else x.swapaxes(-1, -2))
        return [*found, int(machine.array(info, np.int64, 1)[0])]

    def left(self) -> set[str]:
        """Functions that have not run."""
        return {f.signature.name for m in self.modules for f in m.functions} - self.ran
