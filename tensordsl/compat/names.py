"""Theano's modules that only repeat names, as a table: one row a module.

A row says where the names are: their module, and the names, separated by spaces; `new=old` where they differ there, `*`
for every name.  All paths are below `tensordsl`.  `tensordsl.compat.aliases` makes a module of a row when it is
imported; `tools/alias_stubs.py` writes the stubs by which type checkers see it (a test says that they are current).
"""

from __future__ import annotations

ROWS: dict[str, dict[str, str]] = {
    "compile": {
        "errors": "UnusedInputError",
        "function": "function",
        "io": "In Out",
        "link": "Function",
        "modes": (
            "FAST_COMPILE FAST_RUN REFERENCE DebugMode Mode MonitorMode NanGuardMode get_default_mode get_mode"
        ),
        "opfromgraph": "OpFromGraph",
        "profiling": "ProfileStats=Profile",
        "shared": "SharedVariable shared",
    },
    "compile.builders": {"opfromgraph": "OpFromGraph"},
    "compile.debugmode": {"errors": "BadOptimization DebugModeError InvalidValueError", "modes": "DebugMode"},
    "compile.io": {"io": "In Out"},
    "compile.mode": {"modes": "FAST_COMPILE FAST_RUN Mode get_default_mode get_mode"},
    "compile.monitormode": {"modes": "MonitorMode"},
    "compile.nanguardmode": {"modes": "NanGuardMode"},
    "compile.profiling": {"profiling": "ProfileStats=Profile"},
    "compile.sharedvalue": {"shared": "SharedVariable shared shared_constructor"},
    "gof": {"graph": "Apply Constant Op Variable"},
    "gof.compilelock": {"compat.locks": "get_lock release_lock"},
    "gof.graph": {
        "clone": "clone",
        "compat.walks": "ancestors inputs io_toposort is_same_graph",
        "graph": "Apply Constant Variable",
    },
    "gof.op": {"graph": "Op", "testvalues": "debug_assert get_debug_values get_test_value"},
    "gof.type": {"types": "Type=TensorType"},
    "ifelse": {"ops.control": "ifelse"},
    "sandbox": {},
    "sandbox.rng_mrg": {"random": "RandomStreams MRG_RandomStreams=RandomStreams"},
    "sandbox.softsign": {"ops.nnet": "softsign"},
    "scalar": {"compat.scalars": "*"},
    "scalar.basic": {"compat.scalars": "*"},
    "tensor.basic": {"tensor": "*"},
    "tensor.elemwise": {"tensor": "DimShuffle Elemwise"},
    "tensor.extra_ops": {
        "tensor": (
            "bartlett bincount compress cpu_contiguous=tensor_copy cumprod cumsum diff fill_diagonal "
            "fill_diagonal_offset ravel_multi_index repeat searchsorted squeeze to_one_hot unique unravel_index"
        )
    },
    "tensor.nnet.bn": {"tensor.nnet": "batch_normalization batch_normalization_test batch_normalization_train"},
    "tensor.nnet.nnet": {"tensor.nnet": "*"},
    "tensor.nnet.sigm": {
        "ops.kinds": "ScalarSigmoid ScalarSoftplus",
        "tensor.nnet": "hard_sigmoid sigmoid softplus ultra_fast_sigmoid",
    },
    "tensor.opt": {"ops.control": "Assert assert_=assert_op assert_op"},
    "tensor.shared_randomstreams": {
        "random": "RandomStreams",
        "shared": "RandomStateSharedVariable=TensorSharedVariable",
    },
    "tensor.sharedvar": {
        "shared": (
            "SharedVariable TensorSharedVariable scalar_constructor=shared shared shared_constructor "
            "tensor_constructor=shared"
        )
    },
    "tensor.subtensor": {
        "ops.kinds": "IncSubtensor Subtensor",
        "tensor": "inc_subtensor set_subtensor take",
    },
    "tensor.type": {"types": "TensorType"},
    "tensor.xlogx": {"ops.grids": "xlogx xlogy0=xlogy"},
}  # fmt: skip


# Theano's modules that have code: where this library has a module of that path, it is Theano's too.
WITH_CODE = frozenset(
    (
        "gradient printing scan scan_module scan_module.scan_utils sparse sparse.basic tensor tensor.blas tensor.fft "
        "tensor.inplace tensor.nlinalg tensor.nnet tensor.nnet.abstract_conv tensor.nnet.blocksparse tensor.nnet.conv "
        "tensor.nnet.ctc tensor.nnet.neighbours tensor.raw_random tensor.signal tensor.signal.conv "
        "tensor.signal.downsample tensor.signal.pool tensor.slinalg tensor.sort tensor.utils tensor.var typed_list "
        "updates"
    ).split()
)


def is_theanos(module: str) -> bool:
    """Whether Theano has a module of this path, which is below `theano`, and this library may have it.

    >>> is_theanos("sandbox.rng_mrg"), is_theanos("tensor"), is_theanos("native")
    (True, True, False)
    """
    return module in ROWS or module in WITH_CODE


def submodules(module: str) -> list[str]:
    """The rows directly below `module`, a path below `tensordsl` ("" for the package itself), by their last name.

    >>> submodules("sandbox")
    ['rng_mrg', 'softsign']
    """
    start = f"{module}." if module else ""
    return [row[len(start) :] for row in ROWS if row.startswith(start) and "." not in row[len(start) :]]
