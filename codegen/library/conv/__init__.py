"""Convolutions: correlations of one to three spatial axes and their gradients, as products through tables of offsets.

Comes in   for the writers: a dtype and a tuning (vector bytes, which say how many registers there are).  At a call:
           what `LibraryCall` instructions name, operands of any strides.
Goes out   LLVM text of the objects "conv_float64" and "conv_float32" (`driver.conv_text`).
How        an image with its border is copied into planes, one for each phase of the strides; a result is a sum over
           terms (channel, tap), each the planes from an offset on, times a weight.  So all strides, dilations, groups,
           numbers of axes and flips are numbers in a table, and all vectors are whole.
Modules    layer      the struct that all functions of a call share
           tiles      the micro-kernel;   pack   the weights as it reads them;   planes   the image as it reads it
           forward    a box of results;   weights   the gradient by weights
           driver     what programs call, boxes for threads
Uses       `library.blocks` for scratch, `library.tasks` for threads; `library.gemm` for masks, names, transposition.
Used by    programs, by `LibraryCall` instructions (`codegen.constructs.conv`).
Begin with `driver`, then `forward`.
"""
