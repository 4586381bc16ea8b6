"""What the machine gives without a library: C loops, glibc's vector mathematics, the bandwidth of memory.

Modules    c_kernels  loops in C, compiled by the machine's compiler where there is one
           libmvec    glibc's vector functions in a loop like ours
           triad      the bandwidth of memory, by STREAM's triad
"""
