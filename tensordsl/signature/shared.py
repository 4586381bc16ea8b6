"""Shared variables: tensors with a value of their own, which functions read as implicit inputs and may update."""

from __future__ import annotations

import itertools
import weakref
from contextlib import nullcontext
from typing import Any

import numpy as np

from tensordsl.base.errors import flag, flags
from tensordsl.graph.casting import NAMES
from tensordsl.graph.types import ALL_DTYPES, TensorType, tensor_type
from tensordsl.graph.variables import Variable
from tensordsl.tensor.var import TensorVariable

NO_VALUE = np.zeros(0)  # what a clone holds: its root has the value
LARGE = 3 << 19  # bytes of arrays that the library's memory has in huge pages (`codegen.library.large_blocks`)


class HostValue:
    """A value that no compiled function uses yet: an array that its owner alone has.

    Views of it, and of what it is a view of, are the users'.  A weak reference keeps NumPy from resizing what owns the
    memory.
    """

    __slots__ = ("array", "guard")

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array.view()
        root: Any = array
        while isinstance(root.base, np.ndarray):
            root = root.base
        self.guard = weakref.ref(root)

    def get(self) -> np.ndarray[Any, Any]:
        """A view of the value, not a copy."""
        return self.array.view()


_MADE = itertools.count(1)


def mark_of_creation() -> int:
    """A number above the `made` of all shared variables that there are, and below that of others."""
    return next(_MADE)


class SharedVariable(Variable):
    """What all shared variables have in common; see `shared`.

    `root`: the variable whose value this one has, itself but for clones.
    """

    default_update: Variable | None = None
    made: int = 0  # a number larger than those of all that were made before it
    _root: Any = None  # another variable than this one

    @property
    def root(self) -> Any:
        return self if self._root is None else self._root

    def clone(self) -> Any:
        """Another shared variable of the same type and name with the same value: what one is set to, both have."""
        other = self._made_anew()
        other._root = self.root
        other.tag.__dict__.update(self.tag.__dict__)
        return other

    def _made_anew(self) -> Any:
        raise TypeError("an abstract shared variable cannot be cloned; tensordsl.shared(value) makes one that can")

    @property
    def container(self) -> Container:
        """The place of its value, as functions have it: `s.container.value`."""
        return Container(self, self.name, self)

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        raise TypeError("an abstract shared variable holds no value; tensordsl.shared(value) makes one that does")

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        raise TypeError("an abstract shared variable holds no value; tensordsl.shared(value) makes one that does")


class TensorSharedVariable(SharedVariable, TensorVariable):
    """A shared tensor: a variable of fixed dtype, rank and broadcast pattern whose value lives between calls."""

    def __init__(
        self,
        type: TensorType,
        value: np.ndarray[Any, Any],
        name: str | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
    ) -> None:
        super().__init__(type, name=name)
        self.strict, self.allow_downcast = strict, allow_downcast
        self.default_update, self.made = None, next(_MADE)
        # Where the value is: a `HostValue`; a `runtime.calls.state.Cell`, once native code uses it; a
        # `runtime.device.state.DeviceStorage`, once only devices do.  It moves where nothing is called between the look
        # at this attribute and its assignment, so that no other thread and no signal's handler comes in between.
        self._place: Any = HostValue(value)

    @property
    def cell(self) -> Any:
        """The storage as native code sees it (`calls.state.Cell`); made when the first compiled function needs it."""
        from tensordsl.runtime.calls.state import Cell  # late: it loads the run time

        assert self.root is self, "functions use the roots of clones"

        while not isinstance(place := self._place, Cell):
            device = getattr(place, "device", None)
            with nullcontext() if device is None else device.lock:  # the device makes no new value meanwhile
                array = place.get()
                cell = Cell(array if array.flags.writeable else array.copy())
                if self._place is place:
                    self._place = cell
                    if device is not None:
                        place.is_left = True
        return place

    def on_device(self, device: Any) -> Any:
        """The storage on a device (`runtime.device.state.DeviceStorage`): the value moves there, and stays.

        Where compiled functions of the CPU use the variable too, the value stays with them: this is a copy, and
        `written_back` hands over what a call made of it.
        """
        from tensordsl.runtime.calls.state import Cell
        from tensordsl.runtime.device.state import DeviceStorage  # late: it loads the run time

        with device.lock:
            while True:
                place = self._place
                found = getattr(place, "device", None)
                if found is device:
                    return place
                storage = DeviceStorage.of(place.get(), device)
                storage.is_copy = isinstance(place, Cell)
                if self._place is place:
                    if not storage.is_copy:
                        self._place = storage
                        if found is not None:
                            place.is_left = True
                    return storage

    def wait_until_free(self) -> None:
        """Return when no call of a compiled function holds the variable; RuntimeError if it is one further up."""
        wait = getattr(self._place, "wait", None)
        if wait is not None:
            wait()

    def written_back(self, storage: Any) -> None:
        """A call has updated the device's storage that it was given."""
        if storage is not self._place:
            self.swap(storage.mirror if storage.is_copy else storage.get().copy())

    @property
    def storage(self) -> np.ndarray[Any, Any]:
        """A view of the value, not a copy, which stays as it is while somebody holds it; of a value on a device, of
        the copy on the host."""
        array: np.ndarray[Any, Any] = (self if self._root is None else self._root)._place.get()
        return array

    def swap(self, array: np.ndarray[Any, Any]) -> None:
        """Make the memory of `array`, C-contiguous and of this type, the storage."""
        root = self.root
        while True:
            place = root._place
            if type(place) is HostValue:
                new = HostValue(array)
                if root._place is place:
                    root._place = new
                    return
            else:
                place.set(array)
                if root._place is place:
                    return

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The current value: a copy, or with `borrow` a view of the storage (writing to it changes the variable).

        >>> w = shared(np.zeros(2))
        >>> w.get_value()[:] = 1.0  # changes the copy
        >>> w.get_value()
        array([0., 0.])

        Of a value on a device: a copy on the host (with `borrow` one that is kept, and read-only); with
        `return_internal_type` a `DeviceArray`, a copy on the device or with `borrow` the storage itself, which later
        calls leave as it is.
        """
        place = (self if self._root is None else self._root)._place
        if return_internal_type and hasattr(place, "show"):
            return place.show() if borrow else place.array.copy()
        return place.get() if borrow else copied(place.array if type(place) is HostValue else place.get())

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Replace the value.  It may have another shape, not another dtype, rank or broadcast pattern.

        The array is copied unless `borrow` allows to keep it.  Raises TypeError.

        >>> w = shared(np.zeros(2))
        >>> w.set_value([1, 2, 3])
        >>> w.get_value()
        array([1., 2., 3.])
        """
        from tensordsl.graph.conversion import convert  # late: only needed when a value is set

        name = f"the shared variable {self.name!r}" if self.name else "a shared variable"
        try:
            value = convert(new_value, self.type, self.strict, self.allow_downcast)
        except TypeError as error:
            raise TypeError(f"cannot set {name}: {error}") from None
        self.swap(stored(value, new_value, borrow))

    def zero(self, borrow: bool = False) -> None:
        """Set all elements to zero."""
        self.swap(np.zeros_like(self.storage))

    def duplicate(self) -> TensorSharedVariable:
        """Another shared variable of the same type and name with a copy of the value."""
        return TensorSharedVariable(self.type, self.get_value(), self.name, self.strict, self.allow_downcast)

    def _made_anew(self) -> TensorSharedVariable:
        return TensorSharedVariable(self.type, NO_VALUE, self.name, self.strict, self.allow_downcast)

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self.strict, self.allow_downcast, self.default_update, self.tag)
        return restore, (self.type, self.get_value(borrow=True), self.name), state

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            return super().__setstate__(state)
        self.strict, self.allow_downcast, self.default_update, self.tag = state


NO_OPERAND = (
    "a generic shared variable (its value is no array or number) is no operand of tensor operations; "
    "share np.array(value, dtype=tensordsl.config.floatX) instead"
)


class GenericType:
    """The type of variables that hold no tensor: any Python object.  No operation takes one.

    `generic()` is an input of a function that may be given any object, and which computes nothing from it.
    """

    __slots__ = ()
    ndim, shape, broadcastable = 0, (), ()

    @property
    def dtype(self) -> str:
        raise TypeError(NO_OPERAND)

    def accepts(self, other: Any) -> bool:
        return isinstance(other, GenericType)

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """Every object is a value of this type."""
        return value

    def __call__(self, name: str | None = None) -> Variable:
        return Variable(self, name=name)  # type: ignore[arg-type]  # no tensor type fits

    make_variable = __call__

    def __repr__(self) -> str:
        return "Generic"

    def __reduce__(self) -> str:
        return "GENERIC"


GENERIC = generic = GenericType()


class GenericSharedVariable(SharedVariable):
    """A shared variable that holds any Python object: None, a string, a list, a random generator."""

    def __init__(self, value: Any, name: str | None = None) -> None:
        super().__init__(GENERIC, name=name)  # type: ignore[arg-type]  # no tensor type fits
        self.value = value

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The object: a deep copy, or with `borrow` itself."""
        value = self.root.value
        return value if borrow else deepcopy(value)

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Hold a deep copy of another object, or with `borrow` that object itself."""
        self.root.value = new_value if borrow else deepcopy(new_value)

    def refuse(self, *others: Any) -> Any:
        """What operators do: a list is no vector."""
        raise TypeError(NO_OPERAND)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = refuse
    __neg__ = __abs__ = __getitem__ = __lt__ = __le__ = __gt__ = __ge__ = refuse

    def _made_anew(self) -> GenericSharedVariable:
        return GenericSharedVariable(None, self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return GenericSharedVariable, (self.root.value, self.name)


class Container:
    """The place of a value that lives between calls: `value` is a copy of it, `data` itself; both can be set.

    `In(x, value=container)` is an input whose value is in that same place.  Of an input that each call gives the place
    is empty, and stays so.  A container is a list of its one element, too: `container.storage[0]`.
    """

    __slots__ = ("variable", "name", "shared")

    def __init__(self, variable: Variable, name: str | None, shared: SharedVariable | None) -> None:
        self.variable, self.name, self.shared = variable, name, shared

    @property
    def type(self) -> TensorType:
        return self.variable.type

    @property
    def value(self) -> Any:
        return None if self.shared is None else self.shared.get_value()

    @value.setter
    def value(self, new: Any) -> None:
        self._holder().set_value(new)

    @property
    def data(self) -> Any:
        return None if self.shared is None else self.shared.get_value(borrow=True)

    @data.setter
    def data(self, new: Any) -> None:
        self._holder().set_value(new, borrow=True)

    @property
    def storage(self) -> Container:
        return self

    def _holder(self) -> SharedVariable:
        if self.shared is None:
            raise TypeError(f"the input {self.name or self.variable!r} holds no value: each call gives it")
        return self.shared

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        return (self.data,)[index]

    def __setitem__(self, index: int, new: Any) -> None:
        if index not in (0, -1):
            raise IndexError("a container has one element")
        self.data = new

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Container) and self._place() is other._place()

    def __hash__(self) -> int:
        return hash(self._place())

    def _place(self) -> Variable:
        """What two containers of one value have in common."""
        return self.variable if self.shared is None else self.shared.root

    def __repr__(self) -> str:
        return f"<{self.data!r}>"


def deepcopy(value: Any) -> Any:
    from copy import deepcopy as copied  # late: only generic values need it

    return copied(value)


def restore(type: TensorType, value: np.ndarray[Any, Any], name: str | None) -> TensorSharedVariable:
    """The shared variable that a pickle describes."""
    return TensorSharedVariable(type, np.array(value, order="C"), name)


def stored(value: np.ndarray[Any, Any], given: Any, borrow: bool) -> np.ndarray[Any, Any]:
    """`value` as storage: C-contiguous, writeable, and not the caller's array unless `borrow`."""
    is_callers = np.may_share_memory(value, given) if isinstance(given, np.ndarray) else False
    is_fit = value.flags.c_contiguous and value.flags.writeable and value.flags.aligned
    if is_fit and (borrow or not is_callers):
        return value
    return copied(value)


def copied(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy in C order."""
    if array.nbytes < LARGE:
        return np.array(array, order="C")
    from tensordsl.runtime.loading.memory import copied  # late: it loads the run time

    return copied(array)


def shared(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    borrow: bool = False,
    broadcastable: tuple[bool, ...] | None = None,
    target: str = "cpu",
) -> Any:
    """A shared variable that holds `value`.

    Parameters
    ----------
    value : an array, a NumPy scalar or a Python number (int -> int64, float -> float64, bool -> bool).  Any other
        object gives a generic shared variable, which holds it but is no operand: `shared([1, 2])` is no vector.
    name : for printing.
    strict, allow_downcast : how `set_value` converts: only arrays of exactly this dtype; also with loss of precision.
    borrow : keep the memory of `value` as storage where possible, instead of a copy.  NumPy then refuses to resize it.
    broadcastable : which axes (of length 1) broadcast; default: none.
    target : where the value is from the start: "cpu", or a device ("cuda", "cuda1", "sim").  Values move to the device
        of the functions that use them in any case.

    Raises
    ------
    TypeError : `value` is no array or number, or has a dtype or shape that does not fit.

    >>> counter = shared(0, name="counter")
    >>> counter.type
    TensorType(int64, scalar)
    """
    for given in (borrow, strict, allow_downcast):
        flag(given, "shared")
    if isinstance(value, Variable):
        raise TypeError(
            "shared: the value must be an array or a number, not a symbolic variable; evaluate it first (x.eval()), "
            "or give it as update of a function"
        )
    if not isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
        if broadcastable is not None:
            raise TypeError(f"shared: a {type(value).__name__} has no axes that could broadcast; make it an array")
        return GenericSharedVariable(value if borrow else deepcopy(value), name)
    from tensordsl.graph.conversion import is_masked  # late: as above

    if is_masked(value):
        raise TypeError("shared: masked arrays are not supported; use value.filled(...)")
    array = _as_array(value)
    if not isinstance(broadcastable, list | tuple | None):
        raise TypeError(f"shared: broadcastable must be a list of booleans, got {broadcastable!r}")
    pattern = (False,) * array.ndim if broadcastable is None else flags(broadcastable, "shared: broadcastable")
    if len(pattern) != array.ndim:
        raise TypeError(f"shared: broadcastable={pattern} is for {len(pattern)} axes, the value has {array.ndim}")
    if any(b and d != 1 for b, d in zip(pattern, array.shape, strict=True)):
        raise TypeError(f"shared: an axis that broadcasts has length 1; broadcastable={pattern}, shape {array.shape}")
    kind = tensor_type(NAMES[array.dtype], tuple([1 if b else None for b in pattern]))
    variable = TensorSharedVariable(kind, stored(array, value, borrow), name, strict, allow_downcast)
    if not isinstance(target, str) or target != "cpu":
        from tensordsl.runtime.device.device import get_device  # late: it loads the run time

        variable.on_device(get_device(target))
    return variable


def _as_array(value: Any) -> np.ndarray[Any, Any]:
    """`value` as an array of a supported dtype in native byte order, copied only where it must be."""
    try:
        # Python ints are int64 everywhere, also where NumPy's default is int32.
        array = np.asarray(value, dtype="int64" if type(value) is int else None)
    except OverflowError:
        raise TypeError(f"shared: {value} does not fit into int64") from None
    if array.dtype in NAMES:
        return array
    if array.dtype.name not in ALL_DTYPES:
        raise TypeError(f"shared: unsupported dtype {array.dtype}; supported: {', '.join(ALL_DTYPES)}")
    return array.astype(array.dtype.newbyteorder("="))


shared_constructor = shared
