"""Rounds: counted loops whose rounds are short become one kernel each: with what they carry in registers, or in memory.

Comes in   the instructions of a function, behind `bufferise`: its `For`s, with launches and small products in them.
Goes out   the same, where a `For` may have a `program_ir.instructions.RoundsKernel`: one that does many of its rounds.
           The instructions of the body stay, for interpreters and for all who look at programs.
Inside     `storages` knows which storage each name may point into.  `rewrite` gives loops their kernels; where a call
           decides, the loop as it was stays, too.
           In registers: `body` reads a loop's body: where each value of a round comes from, and what has to be stored.
           `integers` computes lengths and addresses of a round: numbers that grow by the same amount each round, and
           checks at the first and at the last one.  `kernel` writes the kernel.
           In memory: `inline` writes the instructions of a body one behind the other, with `nests` for launches,
           `products`, `systems` and `moves`; `functions` has what all products, factors and systems of a dtype call;
           `flow` and `vectors` are what these are written with.
Uses       `program_ir`, `scalar_ir`, `llvm`, `fusion.group`, `library.linalg`; of `target.tuning` thresholds.
Used by    `bufferise.function`; `host.control` writes the calls of these kernels.
Begin with the docstring of `kernel`, then `body.read`; of `inline`, then `words`.
To add     an instruction that bodies may have: `body.read` and, for integers, `integers.Integers`; `inline.words` and
           `inline.Writer.instruction`.  A function on matrices: `systems.WRITERS`.
"""
