"""The texts of graphs."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.printing import debugprint, letters, min_informative_str, op_text, pp, variable_text

x, y, s, m = T.vector("x"), T.vector("y"), T.scalar("s"), T.matrix("m")

EXPRESSIONS: list[tuple[Any, str]] = [
    (s**2, "(s ** TensorConstant{2})"),
    (T.dot(m, x) + T.exp(-y) * 2, "((m \\dot x) + (exp((-y)) * TensorConstant{2}))"),
    (T.sum(m**2), "Sum{acc_dtype=float64}((m ** TensorConstant{2}))"),
    (T.sum(m, axis=0), "Sum{axis=[0], acc_dtype=float64}(m)"),
    (x - y / 3, "(x - (y / TensorConstant{3}))"),
    (T.lt(x, y), "(x < y)"),
    (m.T, "m.T"),
    (x, "x"),
    (T.constant(3), "TensorConstant{3}"),
    (T.sqrt(x), "sqrt(x)"),
    (x.dimshuffle(0, "x"), "DimShuffle{0, x}(x)"),
    (x.dimshuffle("x", 0), "x"),
    (x[2:5], "x[2:5]"),
    (x.astype("float32"), "Cast{float32}(x)"),
    (m.shape[0], "m.shape[0]"),
]


@pytest.mark.parametrize("expression, text", EXPRESSIONS, ids=[text for _, text in EXPRESSIONS])
def test_pp_writes_the_expression(expression: Any, text: str) -> None:
    assert pp(expression) == text


def test_pp_of_a_gradient_is_theanos() -> None:
    assert pp(T.grad(s**2, s)) == (
        "((fill((s ** TensorConstant{2}), TensorConstant{1.0}) * TensorConstant{2}) * "
        "(s ** (TensorConstant{2} - TensorConstant{1})))"
    )


def test_pp_stops_at_names() -> None:
    total = x + y
    total.name = "total"
    assert pp(total * 2) == "(total * TensorConstant{2})"
    assert pp(total) == "(x + y)"


def test_pp_of_a_function_is_that_of_its_outputs() -> None:
    assert pp(theano.function([x], x + 1)) == "(x + TensorConstant{1})"
    assert pp(theano.function([x], [x, x + 1])) == "[x, (x + TensorConstant{1})]"


def test_pp_survives_deep_and_exponential_graphs() -> None:
    deep: Any = s
    for _ in range(5000):
        deep = deep + 1
    assert pp(deep).startswith("((((") and pp(deep).count("+") == 5000
    doubled: Any = s
    for _ in range(60):
        doubled = doubled + doubled
    assert pp(doubled).endswith("use debugprint)")


@pytest.mark.parametrize(
    "value, text",
    [
        (2, "TensorConstant{2}"),
        (1.5, "TensorConstant{1.5}"),
        ([2, 2], "TensorConstant{(2,) of 2}"),
        ([1, 2, 3], "TensorConstant{[1 2 3]}"),
        (list(range(100)), "TensorConstant{[ 0  1  2 .. 97 98 99]}"),
    ],
)
def test_constants_show_their_value(value: Any, text: str) -> None:
    assert variable_text(T.constant(value)) == text


def test_variables_show_name_op_or_type() -> None:
    assert variable_text(T.vector()) == "<TensorType(float64, vector)>"
    assert variable_text(x + y) == "add.0"
    assert variable_text(T.sum(x)) == "Sum{acc_dtype=float64}.0"
    assert op_text(x.dimshuffle("x", 0).owner) == "InplaceDimShuffle{x,0}"


def lines(*args: Any, **keywords: Any) -> list[str]:
    text: str = debugprint(*args, file="str", **keywords)
    return [line.rstrip() for line in text.splitlines()]


def test_debugprint_draws_a_tree_and_names_shared_nodes_once() -> None:
    total = x + y
    assert lines(T.exp(total) * total) == [
        "mul [id A] ''",
        " |exp [id B] ''",
        " | |add [id C] ''",
        " |   |x [id D]",
        " |   |y [id E]",
        " |add [id C] ''",
    ]


def test_debugprint_shows_types_depth_and_kinds_of_labels() -> None:
    expression = T.exp(x + y)
    assert lines(x, print_type=True) == ["x [id A] <TensorType(float64, vector)>"]
    assert lines(expression, depth=1) == ["exp [id A] ''"]
    assert lines(expression, ids="int")[1] == " |add [id 1] ''"
    assert lines(expression, ids="")[1] == " |add ''"
    with pytest.raises(ValueError, match="ids must be"):
        debugprint(x, ids="colour")
    with pytest.raises(TypeError, match="cannot print an object of type int"):
        debugprint(3)


def test_debugprint_of_a_function_numbers_its_nodes_and_names_updates() -> None:
    state = theano.shared(1.0, name="state")
    f = theano.function([x], T.sum(x) * state, updates={state: state + 1})
    text = lines(f)
    assert text[0] == "mul [id A] ''   1"
    assert "add [id E] ''   2 (update of state)" in text


def test_debugprint_of_several_variables_and_of_a_node() -> None:
    assert lines([x, y]) == ["x [id A]", "y [id B]"]
    assert lines((x + y).owner) == lines(x + y)


def test_debugprint_writes_to_a_file_or_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    debugprint(x)
    target = io.StringIO()
    assert debugprint(x, file=target) is target
    assert capsys.readouterr().out == target.getvalue() == "x [id A]\n"


def test_debugprint_stops_on_names_if_asked() -> None:
    total = x + y
    total.name = "total"
    assert lines(total * 2, stop_on_name=True)[1:] == [" |add [id B] 'total'", " |TensorConstant{2} [id C]"]


def test_debugprint_draws_deep_graphs() -> None:
    deep: Any = s
    for _ in range(3000):
        deep = T.exp(deep)
    assert len(lines(deep)) == 3001


def test_letters_count_in_base_26() -> None:
    assert [letters(k) for k in (0, 1, 25, 26, 27, 52)] == ["A", "B", "Z", "BA", "BB", "CA"]


def test_min_informative_str_names_repeated_variables() -> None:
    assert min_informative_str(x + x * y) == "A. add\n B. x\n C. mul\n  <B>\n  D. y"


def test_print_is_reached_through_printing(capsys: pytest.CaptureFixture[str]) -> None:
    shown = theano.printing.Print("value of x")(x)
    with theano.config.change_flags(mode="REFERENCE"):
        theano.function([x], shown * 2)(np.array([1.0]))
    assert "value of x" in capsys.readouterr().out
    with pytest.raises(AttributeError, match="nosuch"):
        _ = theano.printing.nosuch


def chain(levels: int) -> Any:
    deep: Any = s
    for _ in range(levels):
        deep = T.exp(deep)
    return deep


def test_lines_deeper_than_a_hundred_levels_have_a_number_for_the_others() -> None:
    drawn = lines(chain(300))
    assert drawn[100].startswith("  " * 99 + " |") and "..." not in drawn[100]
    assert drawn[101].startswith(" ...1...") and drawn[101].endswith("exp [id DX] ''")
    assert drawn[300].startswith(" ...200...") and drawn[300].endswith(" |s [id LO]")
    informative = min_informative_str(chain(300)).splitlines()
    assert informative[100].startswith(" " * 100 + "DW.") and informative[300].endswith("LO. s")
    assert informative[300].startswith(" ...200...")


def test_texts_grow_with_graphs_and_not_with_their_depth() -> None:
    class File:
        most = total = 0

        def write(self, text: str) -> None:
            self.most, self.total = max(self.most, len(text)), self.total + len(text)

    def total(levels: int) -> int:
        file = File()
        debugprint(chain(levels), file=file)  # type: ignore[arg-type]
        assert file.most < 300_000
        return file.total

    assert total(8000) < 2.1 * total(4000)
    assert len(min_informative_str(chain(8000))) < 2.1 * len(min_informative_str(chain(4000)))


def test_pp_of_an_index_in_an_index_does_not_recurse() -> None:
    table, index = T.lvector("t"), T.lscalar("i")
    deep: Any = index
    for _ in range(5000):
        deep = table[deep]
    assert pp(deep) == "t[" * 5000 + "i" + "]" * 5000
