"""LLVM text of sorting a few hundred unsigned integers in vector registers: a bitonic network without branches.

Element e of a block stands in register e % R, lane e // R, so that most exchanges are between registers (Batcher,
Sorting networks and their applications, 1968, in the form where each merge begins by comparing e with its mirror
image).  The order of what is read does not matter; what is written is turned round by rounds of interleaving.
"""

from __future__ import annotations

from tensordsl.codegen.assembly import Asm


def block_text(name: str, bits: int, lanes: int, registers: int) -> str:
    """`void name(ptr a, ptr b)`: the registers * lanes integers at a, sorted to b."""
    f = Asm("void", name, ("ptr a", "ptr b"), internal=True)
    block = _Block(f, bits, lanes, registers)
    block.sort()
    block.turn()
    for k, value in enumerate(block.values):
        place = f.gep("%b", k * lanes * bits // 8)
        f.do(f"store {block.kind} {value}, ptr {place}, align {bits // 8}")
    f.ret()
    return f.text


def declarations(bits: int, lanes: int) -> str:
    kind = f"<{lanes} x i{bits}>"
    return "".join(f"declare {kind} @llvm.{m}.v{lanes}i{bits}({kind}, {kind})\n" for m in ("umin", "umax"))


class _Block:
    def __init__(self, f: Asm, bits: int, lanes: int, registers: int) -> None:
        self.f, self.bits, self.lanes, self.registers = f, bits, lanes, registers
        self.kind = f"<{lanes} x i{bits}>"
        at = [f.gep("%a", k * lanes * bits // 8) for k in range(registers)]
        self.values = [f.op(f"load {self.kind}, ptr {place}, align {bits // 8}") for place in at]

    def sort(self) -> None:
        size = 2
        while size <= self.registers * self.lanes:
            self.exchange(size - 1)  # with the mirror image: all bits below `size` differ
            distance = size // 4
            while distance:
                self.exchange(distance)
                distance //= 2
            size *= 2

    def exchange(self, mask: int) -> None:
        """Element e and e ^ mask, the lesser one to the lower place."""
        register, lane = mask % self.registers, mask // self.registers
        old = list(self.values)
        if not lane:
            for r in range(self.registers):
                if r < r ^ register:
                    pair = old[r], old[r ^ register]
                    self.values[r], self.values[r ^ register] = (self.extreme(m, *pair) for m in ("umin", "umax"))
            return
        top = 1 << (lane.bit_length() - 1)  # the bit that says which of the two lanes is the lower one
        moved = [self.shuffled(v, [k ^ lane for k in range(self.lanes)]) for v in old]
        for r in range(self.registers):
            pair = old[r], moved[r ^ register]
            low, high = (self.extreme(m, *pair) for m in ("umin", "umax"))
            self.values[r] = self.shuffled(low, [k + self.lanes * bool(k & top) for k in range(self.lanes)], high)

    def turn(self) -> None:
        """To the order of memory: each round moves one bit of the register's number below those of the lane."""
        half = self.lanes // 2
        bit = self.registers // 2
        while bit:
            old = list(self.values)
            for r in range(self.registers):
                if not r & bit:
                    for side in (0, 1):
                        order = [side * half + k // 2 + self.lanes * (k % 2) for k in range(self.lanes)]
                        self.values[r | bit * side] = self.shuffled(old[r], order, old[r | bit])
            bit //= 2

    def extreme(self, which: str, x: str, y: str) -> str:
        callee = f"@llvm.{which}.v{self.lanes}i{self.bits}"
        return self.f.call(self.kind, callee, f"{self.kind} {x}", f"{self.kind} {y}")

    def shuffled(self, x: str, order: list[int], y: str = "poison") -> str:
        lanes = ", ".join(f"i32 {k}" for k in order)
        return self.f.op(f"shufflevector {self.kind} {x}, {self.kind} {y}, <{self.lanes} x i32> <{lanes}>")
