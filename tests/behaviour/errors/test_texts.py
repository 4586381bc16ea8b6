"""What users read when they make a mistake: each text stands in texts.txt, to be read and judged as prose.

`python tests/behaviour/errors/test_texts.py` writes the file anew, and docs/mistakes.md, which shows those of beginners.
"""

from __future__ import annotations

import inspect
import re
import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path

import mistakes
import pytest

import tensordsl as theano

FILE = Path(__file__).with_name("texts.txt")
PAGE = FILE.parents[3] / "docs" / "mistakes.md"
# The mistakes of beginners: what to do instead.
REMEDIES = {
    "two_equals_signs": "`==` and `!=` of variables are Python's, for lists and dictionaries of variables need them: they "
    "ask whether two are one object, and give False and True at once. `T.eq(x, 0)` and `T.neq(x, 0)` compare values. An "
    "operand that such a comparison gave is refused where both stand in one expression; elsewhere in the function it is "
    "a warning, as a bool may be a flag of the program's own, which passes.",
    "matrix_product_of_wrong_shapes": "The message has the names, shapes and values of the operands and the line that "
    "wrote the product. Mend the shapes, or transpose one: `T.dot(A, B.T)`.",
    "a_vector_of_another_length": "Lengths that the types leave open are compared when the function runs. If only one "
    'length makes sense, say it in the type, `T.vector("x", shape=(3,))`, and the expression itself is refused.',
    "a_row_that_was_not_declared_as_one": "A length of 1 stretches only where the type says so, because the compiler "
    "has to know it: use `T.row`, `T.col`, `broadcastable=...` of `shared`, or `T.addbroadcast(n, 0)`.",
    "a_forgotten_input": "Every variable without a value has to be an input, a shared variable, or replaced by `givens`.",
    "an_input_too_many": "Often a sign that the expression is not the one that was meant. If it is, drop the input or say "
    '`on_unused_input="ignore"`.',
    "inputs_without_a_list": "The first argument is a list, also of one input.",
    "float64_data_for_float32": "NumPy makes float64; nothing is rounded without being asked. Use "
    '`value.astype("float32")`, or `allow_input_downcast=True` for all calls.',
    "a_vector_for_a_matrix": "One sample is a batch of one: `value[None, :]`.",
    "the_gradient_of_a_vector": "A gradient is of one number. For all elements at once take the `sum()`; for a matrix of "
    "derivatives `T.jacobian(x**2, x)`.",
    "a_symbolic_condition_in_an_if": "There is no value yet when Python asks. `T.switch(x > 0, a, b)` chooses at each "
    "point, `ifelse(x > 0, a, b)` computes only one of two. The same holds for `not T.any(m)`, `assert T.all(x > 0)` "
    "(`Assert` checks when the function runs) and whatever else is computed with dtype bool.",
}
RULE = "=" * 100
LONGEST = 25  # lines


def text_of(mistake: mistakes.Mistake) -> str:
    """The class and message of what `mistake` raises, without what differs between machines."""
    try:
        mistake()
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    else:
        raise AssertionError(f"{mistake.__name__} was not noticed")
    message = message.replace(mistakes.__file__, "mistakes.py")
    message = re.sub(r"(mistakes\.py):\d+", r"\1:LINE", message)
    return "\n".join(line.rstrip() for line in message.splitlines())


def stored() -> Iterator[tuple[str, str]]:
    for part in FILE.read_text().split(RULE + "\n")[1:]:
        name, _, text = part.partition("\n\n")
        yield name.strip(), text.strip("\n")


STORED = dict(stored()) if FILE.exists() else {}


@pytest.mark.filterwarnings("ignore:device sim")
@pytest.mark.parametrize(("mode", "device"), [("FAST_RUN", "cpu"), ("REFERENCE", "cpu"), ("FAST_RUN", "sim")])
@pytest.mark.parametrize("mistake", mistakes.MISTAKES, ids=lambda m: m.__name__)
def test_a_mistake_is_explained_in_the_same_words_by_compiled_and_reference_code_and_on_a_device(
    mistake: mistakes.Mistake, mode: str, device: str
) -> None:
    with theano.config.change_flags(mode=mode, device=device):
        assert text_of(mistake) == STORED[mistake.__name__]


@pytest.mark.parametrize("mistake", mistakes.MISTAKES, ids=lambda m: m.__name__)
def test_what_a_program_prints_when_it_fails_is_short(mistake: mistakes.Mistake) -> None:
    """The traceback with its message, from the user's line on."""
    with pytest.raises(Exception) as caught:
        mistake()
    trace = caught.value.__traceback__
    assert trace is not None
    printed = "".join(traceback.format_exception(caught.value.with_traceback(trace.tb_next))).splitlines()
    assert len(printed) <= LONGEST, "\n".join(printed)


def test_every_text_belongs_to_a_mistake() -> None:
    assert list(STORED) == [mistake.__name__ for mistake in mistakes.MISTAKES]


@pytest.mark.parametrize("mistake", mistakes.MISTAKES, ids=lambda m: m.__name__)
def test_a_text_is_short_and_names_no_machinery(mistake: mistakes.Mistake) -> None:
    text = STORED[mistake.__name__]
    assert len(text.splitlines()) <= LONGEST
    assert "object at 0x" not in text and "Traceback" not in text


@pytest.mark.parametrize(
    "mistake",
    [m for m in mistakes.MISTAKES if "mistakes.py:LINE" in STORED.get(m.__name__, "")],
    ids=lambda m: m.__name__,
)
def test_the_line_given_is_in_the_program_with_the_mistake(mistake: mistakes.Mistake) -> None:
    with pytest.raises(Exception) as caught:
        mistake()
    lines = [int(number) for number in re.findall(r"mistakes\.py:(\d+)", str(caught.value))]
    first = mistake.__code__.co_firstlineno
    last = max(line for _, _, line in mistake.__code__.co_lines() if line is not None)
    assert lines and all(first < line <= last for line in lines)


def test_high_verbosity_shows_the_graph_and_the_memory_of_the_operands() -> None:
    with theano.config.change_flags(exception_verbosity="high"), pytest.raises(ValueError) as caught:
        mistakes.matrix_product_of_wrong_shapes()
    text = str(caught.value)
    assert "Debugprint of the apply node:\ndot [id A] ''  \n |A [id B]\n |B [id C]" in text
    assert "Storage map footprint:\n - A, shape: (3, 4), item size: 8 B, 96 B" in text
    with (
        theano.config.change_flags(exception_verbosity="high"),
        pytest.raises(theano.errors.MissingInputError) as missing,
    ):
        mistakes.a_forgotten_input()
    assert "dot [id A]" in str(missing.value)


def page() -> str:
    """docs/mistakes.md: each mistake of beginners as a program, what it is answered, and what to do."""
    parts = [
        "# Mistakes, and what they are answered\n\nMade by `python tests/behaviour/errors/test_texts.py`: programs with one "
        "mistake each, the real messages, and what to do. They begin with\n\n```py\nimport numpy as np\n"
        "import tensordsl as theano\nimport tensordsl.tensor as T\n```\n"
    ]
    for name, remedy in REMEDIES.items():
        lines = inspect.getsource(getattr(mistakes, name)).splitlines()[1:]
        program = textwrap.dedent("\n".join(lines))
        text = STORED[name].replace("mistakes.py:LINE", "program.py")
        title = name.replace("_", " ").capitalize()
        parts.append(f"## {title}\n\n```py\n{program}\n```\n\n```text\n{text}\n```\n\n{textwrap.fill(remedy, 110)}\n")
    return "\n".join(parts)


def test_the_page_of_mistakes_shows_the_real_texts() -> None:
    assert PAGE.read_text() == page()


def write() -> None:
    parts = [f"{RULE}\n{mistake.__name__}\n\n{text_of(mistake)}\n\n" for mistake in mistakes.MISTAKES]
    FILE.write_text("".join(parts))
    STORED.update(stored())
    PAGE.write_text(page())


if __name__ == "__main__":
    write()
