"""The suite `loops` (`benchmarks.workloads.loops`) in each library's own words.

Comes in   a workload's data, in the order that its `make` has.
Goes out   a `BUILD` of each library's module, which its adapter takes in; results in one order for all:
           rnn, lstm     the last hidden state; with gradient: the sum of its squares, and its gradients by the state's
                         weights, the sequence's weights and the biases
           powk, ten_ops the last value
           ar2           the log-likelihood and its gradients by the coefficients and the logarithm of the spread
           mandelbrot    the number of rounds, and the point behind the last
           nested        the sum of squares, and its gradients by the state and the weights
           memory        the last value, or the gradients of its sum by the state and what multiplies it
Modules    numpy, numba  loops, gradients by hand
           jax, torch    `lax.scan`; the library's recurrent layers
           symbolic      `scan` of tensordsl and of PyTensor
"""
