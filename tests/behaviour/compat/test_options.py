"""Options of Theano's that do nothing here: programs set them and read them."""

from __future__ import annotations

import warnings

import pytest

import tensordsl as theano
from tensordsl.base.config import OPTIONS
from tensordsl.base.theano_options import without_effect

config = theano.config


@pytest.mark.parametrize("name", sorted(without_effect()))
def test_an_option_without_effect_is_taken_with_a_warning_and_read_as_it_was_set(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = getattr(config, name)
    with pytest.warns(UserWarning, match=f"config.{name} is an option of Theano's, without effect here") as caught:
        with config.change_flags({name: "anything"}):
            assert getattr(config, name) == "anything"
        assert getattr(config, name) == before
    assert len(caught) == 1 and caught[0].filename == __file__
    assert name not in OPTIONS


def test_sections_read_and_write_as_in_theano() -> None:
    flags = config.gcc.cxxflags
    with pytest.warns(UserWarning, match="gcc.cxxflags"):
        config.gcc.cxxflags += " -O3"
    assert config.gcc.cxxflags == f"{flags} -O3" and config.dnn.conv.algo_fwd == "small" and config.vm.lazy is None
    with pytest.warns(UserWarning, match="gcc.cxxflags"):
        config.gcc.cxxflags = flags
    assert config.dnn.enabled == "auto" and config.scan.allow_gc is False and not config.warn.round


def test_names_that_theano_lacks_too_are_errors() -> None:
    for change in (
        lambda: setattr(config, "openMP2", 1),
        lambda: setattr(config.gcc, "xyz", 1),
        lambda: config.nothing,
    ):
        with pytest.raises(AttributeError, match="there is no configuration option"):
            change()
