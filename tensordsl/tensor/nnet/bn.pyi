# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.normalise import batch_normalization as batch_normalization
from tensordsl.ops.normalise import batch_normalization_test as batch_normalization_test
from tensordsl.ops.normalise import batch_normalization_train as batch_normalization_train

__all__ = ["batch_normalization", "batch_normalization_test", "batch_normalization_train"]
