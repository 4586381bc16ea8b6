"""Total division of i64 for host programs: LLVM functions with a result where instructions would trap."""

from __future__ import annotations

from collections.abc import Callable

# Floor division and remainder; by 0: 0; the lowest integer by -1 wraps (and does not trap: the quotient is negated).
DIVISION = {
    "floordiv": """define internal i64 @floordiv(i64 %a, i64 %b) nounwind {
  %z = icmp eq i64 %b, 0
  br i1 %z, label %zero, label %some
zero:
  ret i64 0
some:
  %m = icmp eq i64 %b, -1
  br i1 %m, label %minus, label %divide
minus:
  %n = sub i64 0, %a
  ret i64 %n
divide:
  %q = sdiv i64 %a, %b
  %p = mul i64 %q, %b
  %r = sub i64 %a, %p
  %s = xor i64 %r, %b
  %d = icmp slt i64 %s, 0
  %x = icmp ne i64 %r, 0
  %down = and i1 %d, %x
  %one = sext i1 %down to i64
  %f = add i64 %q, %one
  ret i64 %f
}
""",
    "mod": """define internal i64 @mod(i64 %a, i64 %b) nounwind {
  %z = icmp eq i64 %b, 0
  br i1 %z, label %zero, label %some
zero:
  ret i64 0
some:
  %q = call i64 @floordiv(i64 %a, i64 %b)
  %p = mul i64 %q, %b
  %r = sub i64 %a, %p
  ret i64 %r
}
""",
}


def divide_by_power_of_two(op: Callable[[str], str], name: str, a: str | int, b: str | int) -> str | None:
    """`floordiv` or `mod` of a by a power of two; None by anything else."""
    if not isinstance(b, int) or b <= 0 or b & (b - 1):
        return None
    return op(f"ashr i64 {a}, {b.bit_length() - 1}" if name == "floordiv" else f"and i64 {a}, {b - 1}")
