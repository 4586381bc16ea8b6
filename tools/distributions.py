"""docs/random.md: `python tools/distributions.py > docs/random.md` (PYTHONPATH=.), made of the table of distributions."""

from __future__ import annotations

from tensordsl.ops.random.distributions import ALIASES, REQUIRED, TABLE, Distribution

PAGE = """# Random numbers

Draws are variables: they are fused with what uses them, have gradients, and run on every target.

```python
import numpy as np
import tensordsl
import tensordsl.tensor as T

streams = T.shared_randomstreams.RandomStreams(seed=1)
x = streams.gamma((2, 3), shape=2.5, scale=2.0)
draw = tensordsl.function([], x)
print(draw().shape, bool((draw() == draw()).any()))  # -> (2, 3) False
```

## Three fronts

- `RandomStreams(seed)`, as Theano's: `streams.normal(size, avg, std)`, and a method for each distribution of the table,
  size first.  `MRG_RandomStreams` has `truncate`, `truncated_normal` and `multinomial_wo_replacement` beside it.  Each draw
  has a state of its own, which functions count up by default.
- `T.random`, as PyTensor's: `T.random.normal(loc, scale, size=...)`, `T.random.RandomStream(seed)`.
- Explicit generators: each draw gives the next generator beside its numbers.

```python
rng = T.random.default_rng(seed=2)
next_rng, z = rng.normal(size=(3,))
last_rng, k = next_rng.poisson(lam=4.0, size=2)
both = tensordsl.function([], [z, k], updates={rng: last_rng})
print([v.shape for v in both()])  # -> [(3,), (2,)]

state = T.random.random_generator_type("state")  # as an input
following, u = state.uniform()
step = tensordsl.function([state], [following, u])
value, first = step(rng.get_value())
print(bool(first != step(value)[1]))  # -> True


def walk(position, rng):
    rng, move = rng.normal()
    return position + move, rng


(path, _), _ = tensordsl.scan(walk, outputs_info=[T.constant(0.0, dtype="float64"), rng], n_steps=4)
print(path.eval().shape)  # -> (4,)
```

`tensor.raw_random` has Theano's functions, `new_state, x = normal(state, size, avg, std)`.

## What holds of all

- A number is a pure function of the seed, the number of the draw and its position: the same on every machine, for every
  number of threads, and on a device.  The generator is Philox4x32-10; numbers are not those of NumPy or Theano.
- The shape is `size`, to which parameters are repeated as NumPy repeats them, or without it that of the parameters
  together.  The dtype of floats is `dtype`, else `config.floatX`, or that of the parameters if it is wider.
- Wrong parameters raise ValueError: constants when the expression is built, others in the call, which changes nothing.
- Rejection is a loop of one element: attempt number k of an element has random bits of its own, and a vector goes on until
  all of its lanes are accepted.

```python
scale = T.scalar("scale")
y = streams.normal((2,), 0.0, scale)
try:
    tensordsl.function([scale], y)(-1.0)
except ValueError as error:
    print(str(error).splitlines()[0])  # -> normal: scale must be 0 or more
```

## Distributions

Tests: `tests/behaviour/ops/random/test_distributions.py` compares each with SciPy's distribution by Kolmogorov and
Smirnov's or the chi-square test; `test_rules.py` has dtypes, shapes, wrong parameters and gradients.

| distribution | parameters | dtype | method | gradient |
|---|---|---|---|---|
"""
END = """
`pareto` gives values of `scale` and more, as PyTensor's and SciPy's; NumPy's is `pareto(b) - 1`.  `gamma` of generators takes
`rate` or `scale`.  The gradient with respect to the shape of gamma numbers, and of what is made of them, holds the distribution
function (implicit reparametrisation); there is none of second order.

Beside these: `choice` (with `p`, `replace`, `axis`), `permutation`, `permuted`, `shuffle`, `shuffle_row_elements`,
`random_integers`, `integers(low, high, endpoint=...)` of generators.
"""


def line(row: Distribution) -> str:
    parameters = ", ".join(
        p.name + ("" if p.default is REQUIRED else f"={p.default:g}") + ("[]" * p.core) for p in row.parameters
    )
    names = [row.name, *(new for new, old in ALIASES.items() if old == row.name)]
    dtype = "floatX" if row.dtype == "float" else row.dtype
    return f"| {', '.join(f'`{n}`' for n in names)} | {parameters or '-'} | {dtype} | {row.method} | {row.gradient} |"


def page() -> str:
    return PAGE + "\n".join(map(line, sorted(TABLE, key=lambda row: row.name))) + "\n" + END


if __name__ == "__main__":
    print(page(), end="")
