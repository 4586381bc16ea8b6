"""Theano's modules that only repeat names, as a table: one row a module.

A row says where the names are: their module, and the names, separated by spaces; `new=old` where they differ there, `*`
for every name.  All paths are below `tensordsl`.  `tensordsl.base.aliases` makes a module of a row when it is
imported; `tools/alias_stubs.py` writes the stubs by which type checkers see it (a test says that they are current).
"""

from __future__ import annotations

ROWS: dict[str, dict[str, str]] = {
    "compile": {
        "compat.walks": "is_same_graph",
        "base.config": "config",
        "base.errors": "UnusedInputError",
        "graph.variables": "Variable",
        "signature.io": "In Out Param SymbolicInput=In SymbolicOutput=Out",
        "functions.link": "Function",
        "signature.modes": (
            "FAST_COMPILE FAST_RUN REFERENCE DebugMode Mode MonitorMode NanGuardMode get_default_mode get_mode"
        ),
        "functions.function": "function function_dump pfunc=function",
        "functions.opfromgraph": "OpFromGraph",
        "custom.callbacks": "FromFunctionOp as_op wrap_py",
        "debugging.profiling": "ProfileStats=Profile",
        "signature.shared": "SharedVariable shared shared_constructor",
        "tensor": "Rebroadcast Shape SpecifyShape shape shape_i specify_shape",
        "ops.kinds": "Shape_i",
    },
    "compile.builders": {"functions.opfromgraph": "OpFromGraph"},
    "compile.debugmode": {"base.errors": "BadOptimization DebugModeError InvalidValueError",
    "signature.modes": "DebugMode"},
    "compile.io": {"signature.io": "In Out Param SymbolicInput=In SymbolicOutput=Out"},
    "compile.mode": {
        "signature.modes": (
            "FAST_COMPILE FAST_RUN Mode OPT_FAST_COMPILE OPT_FAST_RUN OPT_MERGE OPT_NONE OPT_O2 OPT_O3 OPT_STABILIZE "
            "OPT_UNSAFE get_default_mode get_mode predefined_modes predefined_optimizers=OPTIMIZERS register_mode"
        )
    },
    "compile.monitormode": {"debugging.checks": "detect_nan", "signature.modes": "MonitorMode"},
    "compile.nanguardmode": {"signature.modes": "NanGuardMode"},
    "compile.profiling": {"debugging.profiling": "ProfileStats=Profile"},
    "compile.sharedvalue": {"signature.shared": "Container SharedVariable generic shared shared_constructor"},
    "compile.function": {"functions.function": "function function_dump"},
    "compile.function_module": {"base.errors": "UnusedInputError", "functions.link": "Function"},
    "compile.ops": {
        "tensor": "Rebroadcast Shape SpecifyShape shape shape_i specify_shape", "ops.kinds": "Shape_i",
        "custom.callbacks": "FromFunctionOp as_op wrap_py",
    },
    "compile.pfunc": {
        "base.errors": "UnusedInputError", "functions.function": "pfunc=function",
        "graph.variables": "Constant Variable", "signature.io": "In Out Param",
        "debugging.profiling": "ProfileStats=Profile", "signature.shared": "SharedVariable shared",
    },
    "configdefaults": {"base.config": "config"},
    "configparser": {"base.config": "change_flags config"},
    "gof": {
        "base.errors": "MissingInputError",
        "graph.fgraph": "FunctionGraph",
        "custom.op": "Apply Op PureOp=Op",
        "graph.variables": "Constant Variable",
        "ops.kinds": "hashtype",
        "signature.shared": "Container Generic=GenericType generic",
        "graph.types": "Type=TensorType",
    },
    "gof.compilelock": {"base.no_effect": "get_lock release_lock"},
    "gof.fg": {"graph.fgraph": "FunctionGraph MissingInputError"},
    "gof.graph": {
        "autodiff.gradient": "io_connection_pattern",
        "functions.clone": "clone",
        "compat.walks": "ancestors inputs io_toposort is_same_graph",
        "custom.op": "Apply", "graph.variables": "Constant Variable",
    },
    "gof.link": {"graph.pickling": "Container=SavedContainer"},
    "gof.null_type": {"autodiff.gradient": "NullType null_type"},
    "gof.op": {"custom.op": "Op PureOp=Op", "debugging.testvalues": "debug_assert get_debug_values get_test_value"},
    "gof.type": {"signature.shared": "Generic=GenericType generic", "graph.types": "Type=TensorType"},
    "gof.utils": {
        "base.errors": "MethodNotDefined", "graph.variables": "scratchpad=SimpleNamespace", "ops.kinds": "hashtype"
    },
    # PyTensor's.
    "graph.basic": {
        "compat.walks": "ancestors equal_computations", "custom.op": "Apply", "graph.variables": "Constant Variable",
        "functions.clone": "clone_replace",
    },
    "graph.op": {"custom.op": "Op"},
    "graph.replace": {"functions.clone": "clone_replace", "ops.vectorize": "vectorize_graph"},
    "graph.traversal": {"compat.walks": "ancestors"},
    "ifelse": {"ops.control": "ifelse", "ops.kinds": "IfElse"},
    "misc": {},
    "misc.safe_asarray": {"graph.values": "_asarray=as_array"},
    "sandbox": {},
    "sandbox.linalg": {
        "ops.array.grids": "alloc_diag",
        "ops.array.index": "extract_diag=diagonal",
        "ops.linalg.decompositions": "cholesky",
        "ops.linalg.inverses": "det matrix_inverse",
        "ops.linalg.theano_forms": "diag eig eigh eigvalsh psd solve spectral_radius_bound trace",
    },
    "sandbox.linalg.ops": {
        "ops.array.grids": "alloc_diag",
        "ops.array.index": "extract_diag=diagonal",
        "ops.kinds": "Cholesky MatrixInverse Solve",
        "ops.linalg.decompositions": "cholesky",
        "ops.linalg.inverses": "det matrix_inverse",
        "ops.linalg.theano_forms": "diag eig eigh eigvalsh psd solve spectral_radius_bound trace",
    },
    "sandbox.rng_mrg": {"signature.random": "MRG_RandomStreams RandomStreams"},
    "sandbox.softsign": {"ops.nnet": "softsign"},
    "scalar": {"compat.scalars": "*"},
    "scalar.basic": {"compat.scalars": "*"},
    "scalar.sharedvar": {"signature.shared": "ScalarSharedVariable=TensorSharedVariable shared"},
    "scan_module": {
        "loops.family": "foldl foldr map reduce", "loops.scan": "scan", "loops.checkpoints": "scan_checkpoints",
        "loops.step": "until", "functions.clone": "clone",
    },
    "scan_module.scan": {"loops.scan": "scan"},
    "scan_module.scan_checkpoints": {"loops.checkpoints": "scan_checkpoints"},
    "scan_module.scan_op": {"ops.kinds": "Scan"},
    "scan_module.scan_utils": {
        "compat.walks": "equal_computations", "functions.clone": "clone",
        "loops.step": "get_updates_and_outputs until",
        "compat.loop_graphs": (
            "expand_empty forced_replace infer_shape isNaN_or_Inf_or_None map_variables reconstruct_graph safe_new"
        ),
    },
    "scan_module.scan_views": {"loops.family": "foldl foldr map reduce"},
    "special": {"tensor.special": "*"},
    "tensor.basic": {
        "compat.casts": (
            "_cast_mapping _convert_to_bool _convert_to_complex128 _convert_to_complex64 _convert_to_float16 "
            "_convert_to_float32 _convert_to_float64 _convert_to_int16 _convert_to_int32 _convert_to_int64 "
            "_convert_to_int8 _convert_to_uint16 _convert_to_uint32 _convert_to_uint64 _convert_to_uint8"
        ),
        "tensor": "*",
    },
    "tensor.elemwise": {"ops.kinds": "All Any CAReduce CAReduceDtype DimShuffle Elemwise Prod Sum"},
    "tensor.extra_ops": {
        "ops.kinds": (
            "Bartlett CpuContiguous CumOp CumprodOp CumsumOp DiffOp FillDiagonal FillDiagonalOffset RavelMultiIndex "
            "RepeatOp SearchsortedOp Unique UnravelIndex"
        ),
        "tensor": (
            "bartlett bincount compress cpu_contiguous=tensor_copy cumprod cumsum diff fill_diagonal "
            "fill_diagonal_offset ravel_multi_index repeat searchsorted squeeze to_one_hot unique unravel_index"
        ),
    },
    # Theano's in-place forms: what may be written in place is the compiler's business.
    "tensor.inplace": {
        "tensor": (
            "abs__inplace=abs_ add_inplace=add and__inplace=and_ arccos_inplace=arccos arccosh_inplace=arccosh "
            "arcsin_inplace=arcsin arcsinh_inplace=arcsinh arctan2_inplace=arctan2 arctan_inplace=arctan "
            "arctanh_inplace=arctanh ceil_inplace=ceil conj_inplace=conj cos_inplace=cos cosh_inplace=cosh "
            "deg2rad_inplace=deg2rad eq_inplace=eq erf_inplace=erf erfc_inplace=erfc erfcx_inplace=erfcx "
            "exp2_inplace=exp2 exp_inplace=exp expm1_inplace=expm1 fill_inplace=fill floor_inplace=floor "
            "gamma_inplace=gamma gammaln_inplace=gammaln ge_inplace=ge gt_inplace=gt int_div_inplace=int_div "
            "inv_inplace=inv invert_inplace=invert le_inplace=le log10_inplace=log10 log1p_inplace=log1p "
            "log2_inplace=log2 log_inplace=log lt_inplace=lt maximum_inplace=maximum minimum_inplace=minimum "
            "mod_inplace=mod mul_inplace=mul neg_inplace=neg neq_inplace=neq or__inplace=or_ pow_inplace=pow "
            "psi_inplace=psi rad2deg_inplace=rad2deg round_half_away_from_zero_inplace=round_half_away_from_zero "
            "round_half_to_even_inplace=round_half_to_even second_inplace=second sgn_inplace=sgn "
            "sigmoid_inplace=sigmoid sin_inplace=sin sinh_inplace=sinh sqr_inplace=sqr sqrt_inplace=sqrt "
            "sub_inplace=sub tan_inplace=tan tanh_inplace=tanh transpose_inplace=transpose tri_gamma_inplace=tri_gamma "
            "true_div_inplace=true_div trunc_inplace=trunc xor_inplace=xor"
        )
    },
    # NumPy's and PyTensor's.
    "tensor.linalg": {
        "ops.linalg.decompositions": (
            "cho_factor cholesky eig eigh eigvals eigvalsh lu lu_factor qr svd svdvals"
        ),
        "ops.linalg.equations": (
            "solve_continuous_lyapunov solve_discrete_are solve_discrete_lyapunov solve_sylvester"
        ),
        "ops.linalg.inverses": "det inv logdet matrix_inverse matrix_rank pinv slogdet tensorinv",
        "ops.linalg.matrix_functions": "expm matrix_dot matrix_power multi_dot",
        "ops.linalg.norms": "cond matrix_norm norm vector_norm",
        "ops.linalg.products": "kron matmul outer tensordot",
        "tensor": "cross vecdot",
        "ops.linalg.roots": "logm sqrtm",
        "ops.linalg.schur": "ordqz qz schur",
        "ops.linalg.structured": "block_diag circulant diagonal hankel matrix_transpose toeplitz trace",
        "ops.linalg.systems": (
            "cho_solve lstsq lu_solve solve solve_lower_triangular solve_triangular solve_upper_triangular tensorsolve"
        ),
        "ops.linalg.matrices": "LinAlgError",
    },
    "tensor.nlinalg": {
        "ops.array.grids": "alloc_diag",
        "ops.array.index": "extract_diag=diagonal",
        "ops.kinds": (
            "AllocDiag Det Eig Eigh EighGrad ExtractDiag MatrixInverse MatrixPinv QRFull QRIncomplete SVD TensorInv "
            "TensorSolve lstsq"
        ),
        "ops.linalg.inverses": "det inv matrix_inverse pinv slogdet tensorinv",
        "ops.linalg.matrix_functions": "matrix_dot matrix_power",
        "ops.linalg.norms": "norm",
        "ops.linalg.systems": "tensorsolve",
        "ops.linalg.theano_forms": "diag eig eigh qr svd trace",
    },
    "tensor.nnet.abstract_conv": {
        "ops.conv.functions": (
            "abstract_conv2d=conv2d causal_conv1d conv2d conv2d_grad_wrt_inputs conv2d_grad_wrt_weights conv3d "
            "conv3d_grad_wrt_inputs conv3d_grad_wrt_weights separable_conv2d separable_conv3d"
        ),
        "ops.conv.shapes": (
            "border_mode_to_pad check_conv_gradinputs_shape get_conv_gradinputs_shape get_conv_gradinputs_shape_1axis "
            "get_conv_gradweights_shape get_conv_gradweights_shape_1axis get_conv_output_shape get_conv_shape_1axis"
        ),
    },
    "tensor.nnet.bn": {"tensor.nnet": "batch_normalization batch_normalization_test batch_normalization_train"},
    "tensor.nnet.conv": {"ops.conv.functions": "conv2d"},
    "tensor.nnet.conv3d2d": {"ops.conv.functions": "conv3d=conv3d_of_frames"},
    "tensor.nnet.nnet": {"tensor.nnet": "*"},
    "tensor.nnet.sigm": {
        "compat.scalars": "ScalarSigmoid ScalarSoftplus",
        "ops.math.functions": "scalar_sigmoid=SIGMOID scalar_softplus=SOFTPLUS",
        "tensor.nnet": "hard_sigmoid sigmoid softplus ultra_fast_sigmoid",
    },
    "tensor.opt": {
        "ops.kinds": "Alloc DimShuffle Elemwise IncSubtensor MakeVector Reshape Shape Shape_i Subtensor TopKOp",
        "ops.control": "Assert assert_=assert_op assert_op",
    },
    "tensor.random": {"signature.generators": "*"},
    "tensor.raw_random": {"signature.raw_random": "*"},
    "tensor.shared_randomstreams": {
        "signature.random": "RandomStreams",
        "signature.shared": "RandomStateSharedVariable=TensorSharedVariable",
    },
    "tensor.sharedvar": {
        "signature.shared": (
            "ScalarSharedVariable=TensorSharedVariable SharedVariable TensorSharedVariable scalar_constructor=shared "
            "shared shared_constructor tensor_constructor=shared"
        )
    },
    "tensor.special": {
        "tensor": (
            "beta betainc betaincinv betaln chi2sf dawsn digamma=psi entr erf erfc erfcinv erfcx erfinv exp1 "
            "expit=sigmoid expn factorial gamma gammainc gammaincc gammainccinv gammaincinv gammal gammaln "
            "gammau hyp2f1 i0 i0e i1 i1e iv ive j0 j1 jn=jv jv k0 k1 kl_div kn=kv kv kve lambertw log1mexp "
            "log1pexp=softplus log_ndtr logit logsumexp ndtr ndtri ndtri_exp owens_t poch polygamma psi "
            "rel_entr sigmoid sinc softplus tri_gamma xlog1py xlogy y0 y1 yn=yv yv zeta"
        ),
        "ops.special.softmax": "log_softmax softmax",
    },
    "tensor.signal": {},
    "tensor.signal.downsample": {
        "ops.kinds": "DownsampleFactorMax=Pool",
        "ops.pool": "max_pool_2d=pool_2d max_pool_2d_same_size",
    },
    "tensor.signal.pool": {
        "ops.kinds": "AveragePoolGrad MaxPoolGrad Pool",
        "ops.pool": "max_pool_2d_same_size pool_2d pool_3d",
    },
    "tensor.slinalg": {
        "ops.kinds": "Cholesky CholeskyGrad Eigvalsh EigvalshGrad Expm ExpmGrad Solve",
        # The functions of PyTensor's module of that name are here, too.
        "ops.linalg.decompositions": "cho_factor cholesky lu lu_factor qr",
        "ops.linalg.equations": (
            "solve_continuous_lyapunov solve_discrete_are solve_discrete_lyapunov solve_sylvester"
        ),
        "ops.linalg.matrix_functions": "expm",
        "ops.linalg.products": "kron",
        "ops.linalg.roots": "logm sqrtm",
        "ops.linalg.schur": "ordqz qz schur",
        "ops.linalg.structured": "block_diag",
        "ops.linalg.systems": (
            "cho_solve lu_solve solve_lower_triangular solve_triangular solve_upper_triangular"
        ),
        "ops.linalg.theano_forms": "MATRIX_STRUCTURES eigvalsh imported_scipy solve solve_symmetric",
    },
    "tensor.sort": {
        "ops.kinds": "ArgSortOp SortOp TopKOp",
        "tensor": "argsort argtopk sort topk topk_and_argtopk",
    },
    "tensor.subtensor": {
        "ops.kinds": (
            "AdvancedBooleanIncSubtensor AdvancedBooleanSubtensor AdvancedIncSubtensor AdvancedIncSubtensor1 "
            "AdvancedSubtensor AdvancedSubtensor1 BaseAdvancedIncSubtensor BaseAdvancedSubtensor IncSubtensor Subtensor"
        ),
        "tensor": "inc_subtensor set_subtensor take",
    },
    "tensor.type": {"graph.types": "TensorType"},
    "tensor.xlogx": {"ops.array.grids": "xlogx xlogy0=xlogy"},
    # Paths of this library from before its front had rooms; some are Theano's too.
    "arguments": {"signature.arguments": "*", "graph.conversion": "convert"},
    "casting": {"graph.casting": "*"},
    "clone": {"functions.clone": "*"},
    "config": {"base.config": "*"},
    "errors": {"base.errors": "*"},
    "fgraph": {"graph.fgraph": "*"},
    "function": {"functions.function": "*"},
    "gradient": {"autodiff.gradient": "*"},
    "io": {"signature.io": "*"},
    "link": {"functions.link": "*"},
    "modes": {"signature.modes": "*"},
    "opfromgraph": {"functions.opfromgraph": "*"},
    "pickling": {"graph.pickling": "*"},
    "printing": {"graph.printing": "*", "ops.control": "Print"},
    "profiling": {"debugging.profiling": "*"},
    "random": {
        "signature.random": "*",
        "signature.generators": "GeneratorVariable RandomStream as_generator default_rng random_generator_type",
    },
    "reference": {"graph.reference": "*"},
    "shared": {"signature.shared": "*"},
    "spec": {"signature.spec": "*"},
    "types": {"graph.types": "*"},
    "updates": {"signature.updates": "*"},
    "values": {"graph.values": "*"},
    "version": {"base.version": "*"},
}  # fmt: skip


# Theano's modules that have code: where this library has a module of that path, it is Theano's too.
WITH_CODE = frozenset(
    (
        "sparse sparse.basic tensor tensor.blas tensor.fft "
        "tensor.nnet tensor.nnet.abstract_conv tensor.nnet.blocksparse tensor.nnet.conv tensor.nnet.ctc "
        "tensor.nnet.neighbours tensor.signal tensor.signal.conv tensor.signal.downsample "
        "tensor.signal.pool tensor.utils tensor.var typed_list"
    ).split()
)
# Theano's modules whose path is another one here, as Theano has a `compat` of its own.
MOVED = {
    "compat": "compat.python", "compat.python2x": "compat.python", "compat.six": "compat.six",
    "compat.six.moves": "compat.moves",
}  # fmt: skip


def path_of(module: str) -> str | None:
    """Where this library may have Theano's `module`; None if that is no module of Theano's.

    >>> path_of("sandbox.rng_mrg"), path_of("compat"), path_of("native")
    ('sandbox.rng_mrg', 'compat.python', None)
    """
    return MOVED.get(module, module if module in ROWS or module in WITH_CODE else None)


def submodules(module: str) -> list[str]:
    """The rows directly below `module`, a path below `tensordsl` ("" for the package itself), by their last name.

    >>> submodules("sandbox")
    ['linalg', 'rng_mrg', 'softsign']
    """
    start = f"{module}." if module else ""
    return [row[len(start) :] for row in ROWS if row.startswith(start) and "." not in row[len(start) :]]
