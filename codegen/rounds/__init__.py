"""Rounds: counted loops whose rounds are short become one kernel each, with what they carry in registers.

Comes in   the instructions of a function, behind `bufferise`: its `For`s, with launches of elementwise groups in them.
Goes out   the same, where a `For` may have a `program_ir.instructions.RoundsKernel`: one that does many of its rounds.
           The instructions of the body stay, for interpreters and for all who look at programs.
Inside     `storages` knows which storage each name may point into.  `body` reads a loop's body: where each value of a
           round comes from, and what has to be stored.  `integers` computes lengths and addresses of a round: numbers
           that grow by the same amount each round, and checks at the first and at the last one.  `kernel` writes the
           kernel.  `rewrite` gives loops their kernels; where a call decides, the loop as it was stays, too.
Uses       `program_ir`, `scalar_ir`, `llvm`, `fusion.group`; of `target.tuning` thresholds.
Used by    `bufferise.function`; `host.control` writes the calls of these kernels.
Begin with the docstring of `kernel`, then `body.read`.
To add     an instruction that bodies may have: `body.read` and, for integers, `integers.Integers`.
"""
