"""Makes docs/pytensor-ops.md: every Op class of PyTensor, PyMC and pymc-extras, and who does it under mode "TENSORDSL".

Run as `python tools/pytensor_ops.py > docs/pytensor-ops.md` where these are installed, with either release; a test says
that no operation is without a place, and compares the page where its releases are the installed ones.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

if __name__ == "__main__":  # in the place of this folder, whose modules hide packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])
from pytensor.compile.builders import OpFromGraph
from pytensor.graph.op import Op
from pytensor.scalar.basic import ScalarOp

import tensordsl.pytensor  # noqa: F401
from tensordsl.pytensor import conversion, linear_algebra, scalars

PACKAGES = ("pytensor", "pymc", "pymc_extras")
LEFT_OUT = (
    "link",
    "d3viz",
    "ipython",
    "testing",
    "misc",
    "kanren",
    "bin",
    "mcbackend",
    "jax",
    "variational",
    "pytensorf.jax",
)
# Why Python does an operation, or why none is met.
STEPS = {
    "NumPy's FFT: we have none": ("RFFTOp", "IRFFTOp", "Fourier"),
    "SciPy's LAPACK, as of our own `T.linalg`": (
        "Schur",
        "QZ",
        "TRSYL",
    ),
    "SciPy's loop over a function that is native": ("MinimizeScalarOp", "RootScalarOp", "MinimizeOp", "RootOp"),
    "SciPy's integrator over a function of PyTensor's": ("DifferentialEquation",),
    "your own function": ("FromFunctionOp", "TypeCastingOp", "JAXOp", "BlackBoxFun"),
    "it prints or stops": ("Print", "PdbBreakpoint"),
    "its numbers are those of a package": ("_PolyaGammaLogDistFunc",),
    "SciPy's splines; those of constants are known before the call": ("BSplineBasis",),
    "it makes a generator": ("AbstractRNGConstructor", "DefaultGeneratorMakerOp"),
    "its input may be None": ("Default",),
}
SYMBOLS = (  # of models: they are gone before a function is compiled
    "ValuedRV", "PromisedValuedRV", "MixtureRV", "TransformedValue", "TransformedValueRV", "DiracDelta", "InitialPoint",
    "ModelVar", "ModelValuedVar", "ModelFreeRV", "ModelObservedRV", "ModelPotential", "ModelDeterministic", "ModelNamed",
    "ModelAnchor", "MinibatchRandomVariable", "Output", "MarginalRV", "RNGToXRNG", "XRNGToRNG",
    "AbstractDeferredMarginalSubgraph", "DeferredLaplaceMarginalSubgraph", "DeferredMarginalSubgraph",
    "LaplaceMarginalSubgraph", "MarginalSubgraph", "MarginalSubgraphBase",
)  # fmt: skip
BASES = (  # other classes derive from them; they have no operation of their own
    "ScalarOp", "UnaryScalarOp", "BinaryScalarOp", "FixedLogicalComparison", "LogicalComparison", "UnaryBitOp", "BinaryBitOp",
    "ScalarInnerGraphOp", "SolveBase", "_NoPythonOp", "_NoPythonCOp", "_NoPythonExternalCOp", "XOp", "XTypeCastOp", "GemmRelated",
    "BaseBLAS", "BaseBlockDiagonal", "RNGConsumerOp", "ScipyRandomVariable", "ScipyWrapperOp", "ScipyScalarWrapperOp",
    "ScipyVectorWrapperOp", "COp", "OpenMPOp", "ExternalCOp", "RandomVariable", "SymbolicRandomVariable", "OpFromGraph",
    "FinalizedOpFromGraph", "SymbolicOp", "TensorSymbolicOp", "_BaseMixtureRV", "JAXShapeTuple",
)  # fmt: skip
FORMS = {  # of native operations: which forms are steps of Python's all the same
    "CAReduce": "by an operation without an identity", "Choose": "of a list", "QR": "with pivots, `mode='raw'`",
    "Join": "on an axis that the call tells", "Split": "on an axis that the call tells", "Eye": "on a diagonal that the call tells",
    "SortOp": "on an axis that the call tells", "ArgSortOp": "on an axis that the call tells", "Subtensor": "by slices that the call brings",
    "RavelMultiIndex": "with a mode for each axis", "Lstsq": "with a limit that the call tells", "SplineWrapper": "with `ext='raise'`",
    "Blockwise": "of operations that are steps", "Convolve1d": "of bool", "Convolve2d": "of bool", "LUFactorTridiagonal": "of complex numbers",
    "SolveLUFactorTridiagonal": "of complex numbers",
}  # fmt: skip
KNOWN_PLACES = "of constant places; SciPy's step elsewhere"
HEAD = """# PyTensor's operations

Made by `tools/pytensor_ops.py`, for the releases that the headings name.
Who does each operation of a function that is compiled with mode `"TENSORDSL"` ([how to](pymc.md)):

- **native**: a part of the compiled function, with the forms that are not; **inlined**: what its own graph has;
- **draw**: NumPy's generator, in a step of Python's, so that a seed gives the numbers that it gave; or the same, inlined;
- **lowered**: PyTensor's own rewrites make operations on arrays of it;
- **Python**: its own `perform`, in a step within the native function, with the reason. Only the first four are silent: of a
  step a warning names the operation once, and `tensordsl.pytensor.python_steps(f)` lists them;
- **symbol**: it stands in models, and is gone before a function is compiled.
"""


def load() -> None:
    """Imports all modules of the packages that are there."""
    waiting = list(PACKAGES)
    while waiting:
        name = waiting.pop()
        if set(name.split(".")) & set(LEFT_OUT):
            continue
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name)
            waiting += [f"{name}.{found.name}" for found in pkgutil.iter_modules(getattr(module, "__path__", []))]
    conversion._load()


def classes(base: type = Op) -> Iterator[type]:
    for kind in base.__subclasses__():
        yield kind
        yield from classes(kind)


def how(kind: type) -> str:
    """Who does an operation; "?" if nothing says it."""
    name = kind.__name__
    key = conversion.key_of(kind)
    if name in BASES or (inspect.isabstract(kind) and not issubclass(kind, OpFromGraph)):
        return "base"
    if name in SYMBOLS:
        return "symbol"
    bases = [conversion.key_of(k) for k in kind.__mro__ if conversion.is_own(k)]
    for reason, names in STEPS.items():
        if name in names:
            return f"Python: {reason}"
    if "RandomVariable" in bases and not issubclass(kind, OpFromGraph):
        return "draw"
    if issubclass(kind, ScalarOp):
        is_inner = hasattr(kind, "fgraph") or name in ("Composite", "ScalarLoop") or "ScalarLoop" in bases
        return "native" if name in scalars.NAMES or name in scalars.OWN or name == "Cast" or is_inner else "?"
    found = next((b for b in bases if b in conversion.CONVERTERS), None)
    if found is None and name not in linear_algebra.CORES:
        if issubclass(kind, OpFromGraph):
            return "draw, inlined" if name.endswith("RV") else "inlined"
        package = key.split(".")[0]
        steps = {
            "xtensor": "lowered", "sparse": "Python: SciPy's sparse matrices", "typed_list": "Python: lists of Python's",
        }  # fmt: skip
        return steps.get(package, "?") if "." in key else "?"
    if key.startswith("sparse."):
        return f"native {KNOWN_PLACES}"
    return f"native but {FORMS[name]}" if name in FORMS else "native"


def rows() -> dict[str, dict[str, list[str]]]:
    """Module -> how -> names of classes, in order."""
    load()
    found: dict[str, dict[str, list[str]]] = {}
    for kind in sorted(filter(conversion.is_own, set(classes())), key=lambda k: (k.__module__, k.__name__)):
        answer = how(kind)
        if answer != "base" and ".link." not in kind.__module__:
            found.setdefault(kind.__module__, {}).setdefault(answer, []).append(kind.__name__)
    return found


def releases() -> dict[str, str]:
    """Package -> its name and version."""
    names = {"pytensor": "PyTensor", "pymc": "PyMC", "pymc_extras": "pymc-extras"}
    return {module: f"{name} {version(name)}" for module, name in names.items() if importlib.util.find_spec(module)}


def sections() -> dict[str, str]:
    """Package -> its part of the page."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        table = rows()
    found = {}
    for package, release in releases().items():
        lines = [f"## {release}", "", "| module | operations | |", "|---|---|---|"]
        for module, answers in table.items():
            parts = sorted(answers.items()) if module.split(".")[0] == package else []
            inside = module.removeprefix(f"{package}.")
            lines += [f"| `{inside}` | {' '.join(f'`{n}`' for n in names)} | {answer} |" for answer, names in parts]
        found[package] = "\n".join(lines) + "\n"
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join([HEAD, *sections().values()]))
