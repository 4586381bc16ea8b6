"""Group printer: a group as text, one line a scalar value, for `TENSORDSL_DEBUG=4` and docs/softmax.md.

In: a `Group`.  Out: its values, operands first, each with the axes along which it varies; its stores; its passes.
"""

from __future__ import annotations

from tensordsl.codegen.fusion.group import Group
from tensordsl.codegen.scalar_ir.builder import Val


def show_group(group: Group) -> str:
    numbers = {id(v): k for k, v in enumerate(group.scalars)}
    lines = [_value(v, numbers) for v in group.scalars]
    lines += [f"{o.buffer.name}[{_map(o.map)}] = %{numbers[id(o.value)]}" for o in group.outs]
    added = [(s.buffer.name, numbers[id(s.position)], numbers[id(s.value)]) for s in group.scatters]
    lines += [f"{name}[%{position}] += %{value}" for name, position, value in added]
    passes = [f"over {', '.join((*group.parallel, *p.local)) or 'nothing'}" for p in group.passes]
    return "\n".join([*lines, f"passes: {'; '.join(passes)}"])


def _value(v: Val, numbers: dict[int, int]) -> str:
    operands = ", ".join(f"%{numbers[id(a)]}" for a in v.args)
    if v.op == "load":
        buffer, entries = v.attr
        operands = f"{buffer.name}[{_map(entries)}]" + f" at {operands}" * bool(v.args)
    elif v.op == "reduce":
        reducer, axes = v.attr
        operands = f"{reducer.name} over {', '.join(axes)} of {operands}"
    elif v.op == "result":
        operands = f"{v.attr} of {operands}"
    elif v.attr is not None:
        operands = f"{operands} {v.attr}".strip()
    axes = ", ".join(sorted(v.axes))
    return f"%{numbers[id(v)]} = {v.op} {operands}" + f"  along {axes}" * bool(axes)


def _map(entries: tuple[object, ...]) -> str:
    """Axes, 0 for a static 1, and operands by number."""
    return ", ".join(f"index {e[1]}" if isinstance(e, tuple) else str(e) for e in entries)
