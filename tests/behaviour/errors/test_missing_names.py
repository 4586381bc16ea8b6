"""Names that a module does not have: what their errors say."""

from __future__ import annotations

import pytest

import tensordsl
import tensordsl.tensor as T


@pytest.mark.parametrize(
    "module, name, words",
    [
        (
            T,
            "scan",
            "it is tensordsl.scan, with map, reduce, foldl, foldr, scan_checkpoints and loop beside it (docs/porting.md)",
        ),
        (T, "conv2d", "convolution and pooling are not built yet (docs/porting.md)"),
        (T, "cholesky", "linear algebra is in tensordsl.tensor.linalg"),
        (T.nnet, "conv2d", "convolution and pooling are not built yet (docs/porting.md)"),
        (T, "putmask", "T.set_subtensor(x[index], y) makes a new tensor"),
        (tensordsl, "functon", "did you mean 'function'?"),
        (T, "logsumexpp", "did you mean 'logsumexp'?"),
    ],
)
def test_what_to_do_instead(module: object, name: str, words: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    assert str(caught.value).startswith(f"module {module.__name__!r} has no attribute {name!r}")  # type: ignore[attr-defined]
    assert words in str(caught.value)


def test_names_like_none_are_said_to_be_missing_only() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'xyzzy'$"):
        T.xyzzy  # noqa: B018
    assert not hasattr(T, "__wrapped__")


@pytest.mark.parametrize(
    "statement, words",
    [
        ("from tensordsl.tensor import fft", "neither built nor planned yet"),
        ("import tensordsl.tensor.signal.pool", "convolution and pooling are not built yet"),
        ("from tensordsl.tensor.signal import downsample", "convolution and pooling are not built yet"),
        ("from tensordsl.tensor.nnet import conv2d", "convolution and pooling are not built yet"),
        ("import tensordsl.sandbox.cuda", "config.device"),
        ("from tensordsl.gof import COp", "define perform"),
        ("from tensordsl.gof import local_optimizer", "rewrites are rules and passes"),
        ("from tensordsl.tensor.opt import Assert, register_canonicalize", "rewrites are rules"),
        ("from tensordsl.tensor.opt import xyzzy", "cannot import name 'xyzzy'"),
        ("import tensordsl.xyzzy", None),
    ],
)
def test_a_module_that_is_not_here(statement: str, words: str | None) -> None:
    with pytest.raises(ImportError, match=words or "No module named"):
        exec(statement)
