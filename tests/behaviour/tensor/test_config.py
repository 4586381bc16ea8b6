"""Options: types, messages, where they come from, temporary changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tensordsl
from tensordsl.config import OPTIONS, _cache_directory, change_flags, config, on_change, parse_flags, parse_rc


def test_the_defaults() -> None:
    assert (config.floatX, config.device, config.mode) == ("float64", "cpu", "FAST_RUN")
    assert (config.compute_test_value, config.exception_verbosity, config.on_unused_input) == ("off", "low", "raise")


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("floatX", "float8", r'Invalid value \("float8"\) for configuration variable "floatX". Valid options are \('),
        ("floatX", None, r'Invalid value \("None"\)'),
        ("device", "tpu", r'"device"\. Valid options are \(\'cpu\', \'cuda\', \'gpu\', \'sim\'\)'),
        ("device", "sim1", r'"device"\. Valid options are'),
        ("mode", "SLOW", '"mode"'),
        ("compute_test_value", True, '"compute_test_value"'),
        ("num_threads", 0, "integers of at least 1"),
        ("num_threads", "two", "integers of at least 1"),
        ("num_threads", 1.5, "integers of at least 1"),
        ("compiledir", 3, "any string"),
    ],
)
def test_a_wrong_value_is_refused_with_the_valid_ones(name: str, value: object, message: str) -> None:
    before = getattr(config, name)
    with pytest.raises(ValueError, match=message):
        setattr(config, name, value)
    assert getattr(config, name) == before


@pytest.mark.parametrize("name", ["cuda", "gpu", "cuda0", "cuda12", "gpu1", "sim", "cpu"])
def test_devices_may_have_a_number(name: str) -> None:
    with config.change_flags(device=name):
        assert config.device == name


def test_an_unknown_option_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no configuration option 'nosuch'"):
        _ = config.nosuch
    with pytest.raises(AttributeError, match="Did you mean 'floatX'"):
        config.floatx = "float32"
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del config.floatX
    assert not hasattr(config, "nosuch")


def test_change_flags_is_a_context_and_a_decorator() -> None:
    @change_flags(floatX="float32")
    def current() -> str:
        return config.floatX

    assert (current(), config.floatX) == ("float32", "float64")
    with config.change_flags(floatX="float32", num_threads=2) as inner:
        assert (config.floatX, config.num_threads) == ("float32", 2)
        with inner, tensordsl.change_flags({"floatX": "float64"}):
            assert config.floatX == "float64"
        assert config.floatX == "float32"
    assert (config.floatX, config.num_threads) == ("float64", 1)


def test_change_flags_ends_with_an_error_and_begins_with_none() -> None:
    with pytest.raises(KeyError), change_flags(floatX="float32"):
        raise KeyError
    with pytest.raises(ValueError, match="float8"):
        change_flags(num_threads=2, floatX="float8")
    with pytest.raises(AttributeError, match="nosuch"):
        change_flags(nosuch=1)
    assert (config.floatX, config.num_threads) == ("float64", 1)


def test_a_fixed_option_keeps_its_value() -> None:
    done = fresh(
        "config.fix('cpu', 'it is late'); config.cpu = 'native'\n"
        "for change in (lambda: setattr(config, 'cpu', 'x86-64-v3'), lambda: config.change_flags(floatX='float32', cpu='x86-64-v3')):\n"
        "    try: change()\n"
        "    except ValueError as error: print(error)\n"
        "print(config.cpu, config.floatX)",
    )
    refusal = "config.cpu cannot change from 'native' to 'x86-64-v3': it is late; set it at the program's start or in TENSORDSL_FLAGS"
    assert done.stdout.splitlines() == [refusal, refusal, "native float64"]


def test_None_as_optimizer_is_a_name() -> None:
    with change_flags(optimizer=None):
        assert config.optimizer == "None"


def test_listeners_hear_the_value_now_and_later() -> None:
    heard: list[str] = []
    on_change("exception_verbosity", heard.append)
    with change_flags(exception_verbosity="high"):
        pass
    assert heard == ["low", "high", "low"]


def test_every_option_is_described_and_shown() -> None:
    assert list(config) == list(OPTIONS)
    assert all(option.doc for option in OPTIONS.values())
    assert "floatX = 'float64'" in repr(config)


def test_flags_are_pairs() -> None:
    assert list(parse_flags("device=cpu, floatX = float32,,compiledir=/a=b")) == [
        ("device", "cpu"), ("floatX", "float32"), ("compiledir", "/a=b"),
    ]  # fmt: skip
    with pytest.warns(UserWarning, match="'floatX' has no value"):
        assert list(parse_flags("floatX")) == []


def test_rc_files_have_sections_and_comments() -> None:
    text = "# mine\n[global]\nfloatX = float32\ndevice: cpu\n; no\n[nvcc]\nfastmath = True\n"
    assert list(parse_rc(text)) == [("floatX", "float32"), ("device", "cpu"), ("nvcc.fastmath", "True")]


def fresh(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TENSORDSL")}
    return subprocess.run(
        [sys.executable, "-c", "from tensordsl.config import config; " + program],
        env={**clean, **environment}, capture_output=True, text=True,
    )  # fmt: skip


def test_a_wrong_flag_is_an_error_that_names_its_source(tmp_path: Path) -> None:
    rc = tmp_path / "rc"
    rc.write_text("[global]\nfloatX = float8\n")
    assert "TENSORDSL_FLAGS: Invalid value" in fresh("", TENSORDSL_FLAGS="floatX=float8").stderr
    assert f"{rc}: Invalid value" in fresh("", TENSORDSLRC=str(rc)).stderr


def test_later_rc_files_and_the_environment_win(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("floatX=float32\nnum_threads=2\n")
    second.write_text("num_threads=3\n")
    done = fresh(
        "print(config.floatX, config.num_threads, config.mode)",
        TENSORDSLRC=f"{first}{os.pathsep}{second}", TENSORDSL_FLAGS="mode=FAST_COMPILE,mode=REFERENCE",
    )  # fmt: skip
    assert done.stdout.split() == ["float32", "3", "REFERENCE"], done.stderr


def test_an_unknown_flag_is_ignored_with_a_warning() -> None:
    done = fresh("print(config.floatX)", TENSORDSL_FLAGS="blas.ldflags=-lx")
    assert done.stdout.strip() == "float64" and "no option 'blas.ldflags'" in done.stderr


def test_reading_options_loads_no_parser() -> None:
    done = fresh("import sys; print('configparser' in sys.modules, 'tempfile' in sys.modules, 'numpy' in sys.modules)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["False", "False"]


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    import pwd

    def nobody(number):
        raise KeyError(number)

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert _cache_directory() == ""
