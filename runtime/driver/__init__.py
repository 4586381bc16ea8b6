"""Drivers: the protocol of devices, and its implementations for NVIDIA's GPUs and for the simulator.

Comes in   addresses, bytes, modules of kernels (PTX or LLVM text), launches.
Goes out   the protocol `protocol.Driver` (memory, copies, launches), with `LanesDriver` for several streams and
           `CapturingDriver` for graphs; `registry.open_driver` gives the one of a device's name.
Modules    protocol      the protocols, and the exceptions of error codes
           registry      a table of the drivers, by the names of devices
           cuda_pycuda   NVIDIA's driver through pycuda
           cuda_ctypes   the same library by ctypes, without a package
           cuda_library  what both share: types of functions, loading, CUDA graphs
           cublas        matrix products of NVIDIA's cuBLAS, where it is installed
           simulator     runs the LLVM text of kernels on the CPU, thread by thread
           simulated     that simulator as a driver
Uses       nothing of the compiler or of the other rooms; a driver's library is loaded when it is opened.
Used by    `device`; tests use `simulator` as the oracle of kernels.
Begin with `protocol`, then `simulated`.
To add     a kind of device: a class with the methods of `protocol.Driver`, and a row of `registry.DRIVERS`.
"""
