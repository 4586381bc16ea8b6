"""Sorting: `sort` and `argsort` along an axis, some places of an order, and searches in sorted numbers.

Comes in   for the writers: a dtype and vector bytes.  At a call: inputs, outputs, lengths and strides of a
           `LibraryCall`.
Goes out   LLVM text of the objects "sort_*", "argsort_*", "searchsorted_*" (`driver.sort_text`) and "select_*"
           (`argselect.select_text`), one for each dtype.
Meaning    NumPy's: stable, nan at the end.
How        `driver` copies a line to `keys` (integers of the same order), sorts them and copies back;
           `nan_and_zeros` puts what is equal but not the same to its places.  With AVX2 or AVX-512: `quicksort`, with
           `pivot` and `partition`, networks in registers (`networks`) for what is short, `short_lines` and
           `adjacent_lines` for short lines.  Elsewhere `merge_sort`.  `select` and `argselect` find some places only,
           `binary_search` where numbers stand in sorted ones.
           `parallel_lines` and `parallel_quicksort` share a long line among threads; `compress` moves chosen lanes
           together.
           `text`: vectors of what is not yet in the language of kernels.
Uses       `kernel_ir`, `library.parallel`, `library.tasks`, `library.lines`, `llvm`.
Used by    programs, by `LibraryCall` instructions; `bufferise.library_calls` gives the scratch that `driver` wants.
Begin with the docstring of `driver`, then `networks`.
To add     a method: a module with its text and the condition in `driver`; test_scan_sort_nonzero.py compares every
           dtype with NumPy.
"""
