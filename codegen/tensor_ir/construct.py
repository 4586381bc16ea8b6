"""Constructs: one class for each operation of tensor IR, with all that the compiler knows of it (`codegen.constructs`).

Lowering, the verifier, bufferising and the exports call its methods; passes and fusion read its `Traits`
(`Value.traits`).  What a construct leaves out is in `missing`, with the reason.  The `Registry` loads a file when one
of its names is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tensordsl.base.records import record
from tensordsl.codegen.abi.layouts import CALLERS
from tensordsl.graph.variables import Apply

if TYPE_CHECKING:
    from tensordsl.codegen.tensor_ir.graph import Graph, Value
    from tensordsl.codegen.tensor_ir.lower import Lowering

# Names that rules and passes match or make: of what only its own file and the registry know none is here.
CONCATENATE, DOT, RESHAPE, SUBTENSOR, INC_SUBTENSOR = "concatenate", "dot", "reshape", "subtensor", "inc_subtensor"
INC_TAKE, IN_BOUNDS, ALONG, PART, PAIRS = "inc_take", "in_bounds", "along", "part", "pairs"
CHOLESKY, LU_FACTOR, LU_SOLVE, SOLVE_TRIANGULAR = "cholesky", "lu_factor", "lu_solve", "solve_triangular"
QR, SVD, EIGH = "qr", "svd", "eigh"
FOR, WHILE, IFELSE, ASSERT, HOST = "for", "while", "ifelse", "assert", "host"


@record
class Traits:
    """Facts of a construct for passes and other rooms."""

    is_source: bool = False  # nothing computes it: an input, a constant, a parameter of a loop, a result of a region
    is_given: bool = False  # such a one that a call brings, or that is known now
    is_fusible: bool = False  # computed in fusion groups, element by element
    is_computed: bool = False  # no place of its own in memory; its shape is all that it says about lengths
    is_view: bool = False  # the result is the first operand's memory
    is_contiguous: bool = False  # the result lies in C order, whatever gives it
    stores_operands: bool = False  # the operands are in memory
    moves_only: bool = False  # a step that copies or looks at elements as they are
    data_operands: int | None = 1  # the first so many operands have those elements; None: all
    makes_floats: bool = False  # a NaN may come in with its result
    fits_any_place: bool = False  # the result may be computed at any strides
    has_regions: bool = False  # operands, or a body, are computed inside of it
    is_loop: bool = False  # it has a body (`graph.Loop`), `loop`, of at most `count` rounds
    needs_more: bool = False  # than its operands (`graph.dependencies`)
    has_effects: bool = False  # it may stop the call, or calls Python
    has_lengths: bool = False  # its attributes name lengths besides those of its shape
    writes_into: bool = False  # the result is the first operand but for a part that is written
    begins_with: int | None = None  # the operand whose storage may serve the result: it is copied first, or overwritten


@record
class LibraryFunction:
    """A function of the library that a construct calls on whole buffers.

    interpret: the same in NumPy, which writes to the outputs that follow the inputs; writer: the text of its object (a
    `library.object_writer.ObjectWriter`); work_ns: estimated, per 1,000 elements of the result (0: as much as the
    tuning's `costs.library_ns_per_1000`).
    """

    interpret: Callable[..., None]
    writer: Any
    work_ns: int = 0


class Construct:
    """Base of all constructs.  A member that a class does not define is absent, and stands in its `missing`.

    Methods of an absent member are never called: a row names no construct that has none, and what is computed in
    groups is no step.
    """

    name: ClassVar[str]
    traits: ClassVar[Traits] = Traits()
    library: ClassVar[Mapping[str, LibraryFunction]] = {}
    missing: ClassVar[Mapping[str, str]] = {}

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        """The values of a row's application; by default one of this construct, with the row's type and attributes."""
        g = low.graph
        shape = node.row.shape(g.extents, *operands, **node.attrs)
        return [g.make(self.name, operands, node.outputs[0].type.dtype, shape, **node.attrs)]

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> Sequence[Value]:
        """The same of complex values, which are pairs of their parts (`tensor_ir.lower_complex`)."""
        raise self._absent("lower_complex")

    def verify(self, graph: Graph, v: Value) -> None:
        """Raise `verify.InvalidIR` where a value breaks a rule."""

    def bufferise(self, b: Any, v: Value) -> None:
        """Compute v into program IR; b: a `bufferise.bufferiser.Bufferiser`."""
        raise self._absent("bufferise")

    def prepare(self, b: Any, v: Value) -> None:
        """Name lengths and take room for `bufferise`, where it runs after state is destroyed: it may not fail then."""

    def begins_with(self, v: Value) -> int | None:
        """`Traits.begins_with`, of this value."""
        return self.traits.begins_with

    def parts(self, b: Any, v: Value, at: Mapping[int, int]) -> Collection[int]:
        """Operands that may be computed where they lie in the result (`bufferise.compute_in_place`); at: value number
        -> the step that gives it."""
        return ()

    def place(self, b: Any, v: Value, k: int) -> Any:
        """Where operand k, one of `parts`, lies in the result: a `program_ir.storage.Ref`."""
        raise NotImplementedError(f"{self.name} has parts without a place")

    def needs(self, inliner: Any, v: Value, axes: tuple[Any, ...]) -> list[tuple[Value, tuple[Any, ...]]]:
        """Of a fusible one: the operands that its scalar at some axes is computed from, each at its own axes; inliner:
        a `fusion.inline.Inliner`."""
        return []

    def scalar(self, inliner: Any, v: Value, axes: tuple[Any, ...], args: list[Any]) -> Any:
        """Of a fusible one: its scalar at some axes, from those that it `needs`."""
        raise self._absent("scalar")

    def widen(self, w: Any, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
        """v in all rounds of a loop, along a new first axis, from its operands there: those that are `is_wide` have
        that axis, too, and the others do not vary; None: it stays in the loop.  w: a `passes.loops.widen.Widening`."""
        return None

    def mlir(self, e: Any, v: Value) -> None:
        """Write v as MLIR; e: a `mlir.writer.Writer`."""
        raise self._absent("mlir")

    def gpu(self, function: str, dtypes: Sequence[str], operands: Sequence[Any], multiprocessors: int) -> Any:
        """The steps of one of its library functions (`gpu.library_calls`)."""
        raise self._absent("gpu")

    def _absent(self, member: str) -> NotImplementedError:
        return NotImplementedError(f"{self.name} has no {member}: {self.missing.get(member, 'no reason is given')}")


class Source(Construct):
    """What nothing computes."""

    missing: ClassVar[Mapping[str, str]] = {
        "lower_complex": "no row: sources are split where they enter the graph (`lower_complex.split_complex`)",
        "verify": "it has no operands",
        "bufferise": "its storage is known (`Bufferiser.ref`)",
        "mlir": "it is an argument, a constant or a parameter of a region (`Writer.value`)",
    }


class Fusible(Construct):
    """What fusion groups compute."""

    missing: ClassVar[Mapping[str, str]] = {
        "lower_complex": "rows with this meaning are rows of the parts (`tensor_ir.lower_complex`)",
        "bufferise": "it is no step: groups compute it",
        "mlir": "a part of its group's generic",
    }


class Expanded(Construct):
    """A row's construct that becomes values of other ones."""

    missing: ClassVar[Mapping[str, str]] = {
        "verify": "no value is of this construct: others stand for it",
        "bufferise": "no value is of this construct: others stand for it",
        "mlir": "no value is of this construct: others stand for it",
    }


MEMBERS = ("lower_complex", "verify", "bufferise", "mlir")
OF_LIBRARY = ("gpu",)  # required of constructs that call the library
OF_GROUPS = ("scalar",)  # required of those that groups compute


def absent(construct: Construct) -> list[str]:
    """The members that a construct leaves out."""
    kind = type(construct)
    members = (*MEMBERS, *(OF_LIBRARY if construct.library else ()))
    members += OF_GROUPS if construct.traits.is_fusible else ()
    return [m for m in members if getattr(kind, m) is getattr(Construct, m)]


class Registry(dict[str, Construct]):
    """Constructs by name; `find`, which `codegen.constructs` sets, loads the file that holds a name.

    A construct is entered when its file is loaded to the end: another thread, which needs it before, waits for that.
    """

    find: Callable[[str], object] | None = None

    def __init__(self) -> None:
        self.registered: dict[str, Construct] = {}

    def __missing__(self, name: str) -> Construct:
        assert self.find is not None, "no constructs: import tensordsl.codegen.constructs"
        self.find(name)
        if name not in self.registered:
            raise LookupError(f"no construct is called {name!r} (codegen/constructs)")
        found = self[name] = self.registered[name]
        return found

    def forget(self, name: str) -> None:
        """Remove one; for tests, which make some."""
        self.pop(name, None)
        self.registered.pop(name, None)


CONSTRUCTS = Registry()


def register(kind: type[Construct]) -> type[Construct]:
    """Make a construct known by its name; a decorator of its class."""
    known = CONSTRUCTS.registered.get(kind.name)
    assert known is None or type(known).__module__ == kind.__module__, f"two constructs are called {kind.name!r}"
    CONSTRUCTS.registered[kind.name] = kind()
    return kind


def of_function(function: str) -> LibraryFunction:
    """What a construct says of a function of the library."""
    return CONSTRUCTS[CALLERS[function]].library[function]


def interpret(function: str) -> Callable[..., None]:
    """A function of the library in NumPy, for the plan runner."""
    return of_function(function).interpret
