"""`tensordsl.compat`: unmodified programs that import `theano`, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT

import tensordsl
import tensordsl.compat

PROGRAMS = Path(__file__).parent / "programs"
# What Theano 1.0.5 prints; programs that draw random numbers check themselves.
PRINTED = {
    "logistic_regression": ["0.12422043", "0.0400", "2.707938 1.673101 1.406332 1.679252 0.522073"],
    "mlp_momentum": ["0.015394", "1.0000", "0.054799", "0.98547"],
    "denoising_autoencoder": ["learned"],
    "boltzmann_machine": ["learned"],
}


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(path for path in (str(ROOT), os.environ.get("PYTHONPATH")) if path)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("THEANO")}
    given = {**clean, "THEANORC": "", "PYTHONPATH": paths, **environment}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=given)


def printed(program: str, **environment: str) -> list[str]:
    done = python("-c", program, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", PRINTED)
def test_an_unmodified_program_prints_what_theano_prints(name: str) -> None:
    done = python("-m", "tensordsl.compat", str(PROGRAMS / f"{name}.py"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == PRINTED[name]


def test_the_command_line_hands_on_arguments_and_flags() -> None:
    done = python("-m", "tensordsl.compat", str(PROGRAMS / "mlp_momentum.py"), "-v", "1", THEANO_FLAGS="floatX=float32")
    assert done.returncode == 0, done.stderr
    *numbers, arguments = done.stdout.splitlines()
    assert arguments == "arguments ['-v', '1'] __main__ True"
    for number, wanted in zip(numbers, ("0.015394", "1.0000", "0.054799", "0.98547"), strict=True):
        assert float(number) == pytest.approx(float(wanted), rel=1e-3)
    done = python("-m", "tensordsl.compat")
    assert done.returncode == 1 and "usage: python -m tensordsl.compat (program.py | -m module)" in done.stderr


def test_programs_find_their_neighbours_and_modules_run_by_name(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("import theano.tensor as T\nx = T.dvector('x')\n")
    main = "import sys, theano\nfrom neighbour import x\nprint(__name__, sys.argv[1:], theano.pp(x + 1))\nsys.exit(3)\n"
    (tmp_path / "main.py").write_text(main)
    by_path = python("-m", "tensordsl.compat", str(tmp_path / "main.py"), "a")
    by_name = python("-m", "tensordsl.compat", "-m", "main", "a", PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path}")
    for done in (by_path, by_name):
        assert (done.returncode, done.stdout) == (3, "__main__ ['a'] (x + TensorConstant{1})\n"), done.stderr


IMPORTS = """
import tensordsl.compat
tensordsl.compat.install()
tensordsl.compat.install()
import theano
import theano.tensor as T
import theano.tensor.nnet.nnet
from theano import config, function, shared
from theano.compile.nanguardmode import NanGuardMode
from theano.gradient import disconnected_grad
from theano.ifelse import ifelse
from theano.printing import debugprint
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.tensor.shared_randomstreams import RandomStreams
import tensordsl, tensordsl.tensor, tensordsl.sandbox.rng_mrg
assert T is theano.tensor is tensordsl.tensor and T.__spec__.name == "tensordsl.tensor"
assert theano.tensor.nnet.nnet is tensordsl.tensor.nnet.nnet
assert config is theano.config is tensordsl.config and function is tensordsl.function
assert theano.shared is tensordsl.shared and theano.clone is tensordsl.clone
assert MRG_RandomStreams is tensordsl.sandbox.rng_mrg.MRG_RandomStreams
assert theano.__version__ == theano.version.version == "1.0.5" != tensordsl.__version__
import theano.version, theano.tensor.var, theano.tensor.sort, theano.compile.pfunc
assert callable(T.var) and callable(T.sort) and callable(theano.compile.pfunc)
assert theano.compat.PY3 and theano.compat is not tensordsl.compat
from theano.compat import izip, imap, OrderedDict, exc_message
from theano.compat.python2x import any
from theano.compat import six
from theano.compat.six import iteritems, string_types, integer_types
from theano.compat.six.moves import cPickle, reduce, xrange, zip as izip_again
assert list(izip("ab", xrange(2))) == [("a", 0), ("b", 1)] and isinstance("a", string_types)
assert theano.compat.six.moves.urllib.request.Request and six.moves.cPickle is cPickle
names = {}
exec("from theano import *; from theano.tensor import *", names)
assert names["function"] is function and names["tanh"] is T.tanh
"""


def test_every_import_gives_the_librarys_own_objects() -> None:
    assert printed(IMPORTS) == []


@pytest.mark.parametrize(
    "program, wanted",
    [
        ("import theano.gpuarray", "functions run on a device by config.device"),
        ("import theano.native", "No module named 'theano.native': theano is answered by tensordsl.compat"),
        ("import theano.tensor.constructors", "No module named 'theano.tensor.constructors'"),
        ("from theano.tensor import elemwise, nothing", "cannot import name 'nothing'"),
        ("import theano; theano.typed_list", "Python's own lists of variables hold variables"),
        ("import theano; theano.tensr", "did you mean 'tensor'?"),
    ],
)
def test_what_is_missing_is_refused_by_name(program: str, wanted: str) -> None:
    with pytest.raises((ImportError, AttributeError)) as refusal:
        tensordsl.compat.install()
        try:
            exec(program, {})
        finally:
            tensordsl.compat.uninstall()
    assert wanted in str(refusal.value)


def test_nothing_happens_unless_asked_and_after_uninstall(tmp_path: Path) -> None:
    (tmp_path / "theano.py").write_text("print('another')")
    program = "import sys, tensordsl.compat as c; sys.path.insert(0, sys.argv[1])\n"
    refused = "try: c.install()\nexcept RuntimeError as e: print('imported already' in str(e), 'theano.py' in str(e))"
    done = python("-c", program + "import theano\n" + refused, str(tmp_path))
    assert done.stdout.splitlines() == ["another", "True True"], done.stderr
    both = "c.install(); import theano.tensor; c.uninstall(); c.uninstall(); import theano; print(theano.__file__)"
    done = python("-c", program + both, str(tmp_path))
    assert done.stdout.splitlines() == ["another", str(tmp_path / "theano.py")], done.stderr
    assert "theano" not in sys.modules


SHOWN = """
import warnings, sys
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    import tensordsl.compat
    tensordsl.compat.install()
import theano
print(theano.config.floatX, theano.config.mode, theano.config.on_unused_input, theano.config.compiledir != "/there")
for warning in told: print(warning.filename == "<string>", warning.message)
"""


def test_theanos_flags_are_read_where_they_mean_the_same(tmp_path: Path) -> None:
    rc = tmp_path / "theanorc"
    rc.write_text("[global]\nfloatX = float16\nmode = FAST_COMPILE\n[cuda]\nroot = /there\n")
    flags = "floatX=float32, device=cuda0,on_unused_input=ignore,compiledir=/there,warn.round=True,optimizer=o9,cxx="
    ours = os.environ.get("TENSORDSL_FLAGS", "")
    assert printed(SHOWN, THEANORC=str(rc), THEANO_FLAGS=flags, TENSORDSL_FLAGS=ours + ",on_unused_input=warn") == [
        "float32 FAST_COMPILE warn True",
        f"True {rc}: without effect in tensordsl: cuda.root",
        "True THEANO_FLAGS: without effect in tensordsl: device=cuda0 (functions run on the CPU; "
        "TENSORDSL_FLAGS=device=... asks for a GPU, see docs/gpu.md), compiledir, optimizer=o9",
    ]
    assert printed(SHOWN, THEANO_FLAGS="device=cpu") == ["float64 FAST_RUN raise True"]


@pytest.mark.parametrize("by_name", [False, True])
def test_a_traceback_begins_in_the_program(tmp_path: Path, by_name: bool) -> None:
    program = tmp_path / "program.py"
    program.write_text("import theano.tensor as T\n\ndef f(x):\n    return x[0, 1]\n\nf(T.vector('x'))\n")
    command = ["-m", "tensordsl.compat", *(["-m", "program"] if by_name else [str(program)])]
    paths = os.pathsep.join((str(ROOT), str(tmp_path)))
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths}
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and lines[0] == "Traceback (most recent call last):"
    assert "program.py" in lines[1] and "line 6" in lines[1] and "too many indices" in lines[-1]
    program.write_text("1 +\n")
    wrong = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths}
    )
    assert "program.py" in wrong.stderr.splitlines()[0] and "runpy" not in wrong.stderr
