"""What users read when they make a mistake: each text stands in texts.txt, to be read and judged as prose.

`python tests/errors/test_texts.py` writes the file anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import mistakes
import pytest

import tensordsl as theano

FILE = Path(__file__).with_name("texts.txt")
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


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
@pytest.mark.parametrize("mistake", mistakes.MISTAKES, ids=lambda m: m.__name__)
def test_a_mistake_is_explained_in_the_same_words_by_compiled_and_reference_code(
    mistake: mistakes.Mistake, mode: str
) -> None:
    with theano.config.change_flags(mode=mode):
        assert text_of(mistake) == STORED[mistake.__name__]


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


def write() -> None:
    parts = [f"{RULE}\n{mistake.__name__}\n\n{text_of(mistake)}\n\n" for mistake in mistakes.MISTAKES]
    FILE.write_text("".join(parts))


if __name__ == "__main__":
    write()
