"""Options of Theano's that do nothing here, with Theano's defaults: programs set them and read them again.

`base.config` takes them with a warning.  Options that Theano and this library share are in `base.config.OPTIONS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# By section, as `config.SECTION.NAME`; "" has the options without one.
_SECTIONS: Mapping[str, Mapping[str, Any]] = {
    "": {
        "assert_no_cpu_op": "ignore", "base_compiledir": "", "cache_optimizations": False, "check_input": True,
        "check_stack_trace": "off", "compiledir_format": "", "compute_test_value_opt": "off", "contexts": "",
        "cycle_detection": "regular", "deterministic": "default", "force_device": False, "init_gpu_device": "",
        "linker": "vm", "nocleanup": False, "on_shape_error": "warn", "openmp": False,
        "openmp_elemwise_minsize": 200000, "optimizer_requiring": "", "optimizer_verbose": False,
        "pickle_test_value": True, "print_active_device": True, "print_global_stats": False, "print_test_value": False,
        "profile_memory": False, "profile_optimizer": False, "reoptimize_unpickled_function": False,
        "unpickle_function": True,
    },
    "DebugMode": {
        "check_c": False, "check_finite": True, "check_preallocated_output": "", "check_preallocated_output_ndim": 4,
        "check_py": True, "check_strides": 0, "patience": 10, "warn_input_not_reused": True,
    },
    "NanGuardMode": {"action": "raise", "big_is_error": True, "inf_is_error": True, "nan_is_error": True},
    "blas": {"check_openmp": True, "ldflags": ""},
    "cmodule": {
        "age_thresh_use": 2073600, "compilation_warning": False, "debug": False, "mac_framework_link": False,
        "preload_cache": False, "remove_gxx_opt": False, "warn_no_version": False,
    },
    "compile": {"timeout": 120, "wait": 5},
    "conv": {"assert_shape": False},
    "ctc": {"root": ""},
    "cublas": {"lib": ""},
    "cuda": {"include_path": "", "root": ""},
    "dnn": {"base_path": "", "bin_path": "", "enabled": "auto", "include_path": "", "library_path": ""},
    "dnn.conv": {
        "algo_bwd": True, "algo_bwd_data": "none", "algo_bwd_filter": "none", "algo_fwd": "small",
        "precision": "as_input_f32", "workmem": True, "workmem_bwd": True,
    },
    "experimental": {"local_alloc_elemwise": True, "local_alloc_elemwise_assert": True, "unpickle_gpu_on_cpu": False},
    "gcc": {"cxxflags": ""},
    "gpu": {"local_elemwise_fusion": True},
    "gpuarray": {"cache_path": "", "preallocate": 0.0, "sched": "default", "single_stream": True, "sync": False},
    "gpuelemwise": {"sync": True},
    "lib": {"amdlibm": False, "cnmem": 0.0},
    "magma": {"enabled": False, "include_path": "", "library_path": ""},
    "metaopt": {"optimizer_excluding": "", "optimizer_including": "", "verbose": 0},
    "numpy": {
        "seterr_all": "ignore", "seterr_divide": "None", "seterr_invalid": "None", "seterr_over": "None",
        "seterr_under": "None",
    },
    "nvcc": {"compiler_bindir": "", "fastmath": False, "flags": ""},
    "optdb": {"max_use_ratio": 8.0, "position_cutoff": float("inf")},
    "profiling": {
        "debugprint": False, "destination": "stderr", "ignore_first_call": False, "min_memory_size": 1024,
        "min_peak_memory": False, "n_apply": 20, "n_ops": 20, "output_line_width": 512, "time_thunks": True,
    },
    "pycuda": {"init": False},
    "scan": {"allow_gc": False, "allow_output_prealloc": True, "debug": False},
    "tensor": {"cmp_sloppy": 0, "insert_inplace_optimizer_validate_nb": -1, "local_elemwise_fusion": True},
    "traceback": {"compile_limit": 0, "limit": 8},
    "vm": {"lazy": None},
    "warn": {"identify_1pexp_bug": False, "ignore_bug_before": "0.9"},
}  # fmt: skip


def without_effect() -> dict[str, Any]:
    """The default of each, by its whole name.

    >>> without_effect()["traceback.limit"], without_effect()["openmp"]
    (8, False)
    """
    return {
        f"{section}.{name}" if section else name: default
        for section, options in _SECTIONS.items()
        for name, default in options.items()
    }
