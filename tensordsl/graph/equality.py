"""Python's bools as operands, where they come of `x == 0`: it asks whether two are one object, `T.eq` compares values.

Contract: `check_bool` is told each Python bool that is to be a constant.  It raises TypeError where a comparison of a
variable by `==` or `!=` stands inside the very expression that got the bool, and warns where one was computed in a
function that is running.  A bool of the program's own (a flag, the `True` that a chain of `&` begins with) passes.
"""

from __future__ import annotations

import sys
import warnings
from types import CodeType

from tensordsl.base.config import config
from tensordsl.graph.variables import COMPARED, Origin, is_ours, user_level

Span = tuple[tuple[int, int], tuple[int, int]]


def check_bool(value: bool) -> None:
    """Raises TypeError for a bool that a comparison by `==` gave; warns where this is likely."""
    if not COMPARED or config.symbolic_truth == "theano":
        return
    frame = sys._getframe(1)
    is_innermost = True
    while frame is not None:
        code = frame.f_code
        if not is_ours(code.co_filename):
            origin = COMPARED.get(id(code))
            if origin is not None and origin.code is code and _is_comparison(origin):
                _tell(value, origin, is_innermost and _contains(code, frame.f_lasti, origin.instruction))
                return
            is_innermost = False
        frame = frame.f_back  # type: ignore[assignment]  # typeshed has no Optional loop variable here


def _tell(value: bool, origin: Origin, is_certain: bool) -> None:
    rule = "== and != ask whether two variables are one object: T.eq and T.neq compare values"
    text = f"{rule}; got {value!r}, a Python bool"
    if is_certain:
        raise TypeError(text)
    text = f"{text}, after the comparison at {origin}\nA constant that is meant is T.constant({value!r})"
    warnings.warn(text, stacklevel=user_level())


def _is_comparison(origin: Origin) -> bool:
    """Not `x in values`, where to ask for the object is right."""
    from dis import opmap  # late: few programs compare variables so

    return origin.code.co_code[origin.instruction] == opmap["COMPARE_OP"]


def _contains(code: CodeType, outer: int, inner: int) -> bool:
    """Whether the text of one instruction contains that of another."""
    (start, end), (inner_start, inner_end) = _span(code, outer), _span(code, inner)
    return start <= inner_start and inner_end <= end


def _span(code: CodeType, instruction: int) -> Span:
    """From line and column to line and column; whole lines where Python keeps no columns."""
    from itertools import islice

    line, end_line, column, end_column = next(islice(code.co_positions(), instruction // 2, None))
    line = line or code.co_firstlineno
    if column is None or end_column is None:
        return (line, 0), (end_line or line, 0)
    return (line, column), (end_line or line, end_column)
