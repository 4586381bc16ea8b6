"""Devices: arrays, shared variables and whole programs in the memory of a GPU or of the simulator.

Comes in   a `runner.DeviceProgram`: a program with the launches of its groups, made by `tensordsl.functions.devices`
           with
           `codegen.gpu`; arrays of the host or of the device.
Goes out   `runner.run_on_device` -> outputs and the new state of shared variables.
Modules    device   one device of the process: driver, pool, lock, loaded modules
           pool     memory that is kept for the next call
           array    `DeviceArray`, a handle that other libraries read; `dlpack` is the exchange with them
           state    a shared variable's value on a device, and how all new values of a call appear together
           runner   runs a program: the interpreter of programs with other memory
           replay   equal calls, recorded and repeated; `streams` says which of a recording's may overlap
           entry    native calls that only repeat a recording
Uses       `driver` for all work on a device, `interpreter` whose runner it extends, `calls`, `loading`.
Used by    `tensordsl.functions.devices` and `tensordsl.shared`.
Begin with `device`, then `runner.run_on_device`, then docs/gpu.md.
To add     an instruction on devices: a row of `runner.TABLE`; one with kernels of its own: a row of
           `tensordsl.functions.device_calls.STEPS`.
"""
