# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.compat.walks import equal_computations as equal_computations
from tensordsl.functions.clone import clone as clone
from tensordsl.loops.step import get_updates_and_outputs as get_updates_and_outputs
from tensordsl.loops.step import until as until
from tensordsl.compat.loop_graphs import expand_empty as expand_empty
from tensordsl.compat.loop_graphs import forced_replace as forced_replace
from tensordsl.compat.loop_graphs import infer_shape as infer_shape
from tensordsl.compat.loop_graphs import isNaN_or_Inf_or_None as isNaN_or_Inf_or_None
from tensordsl.compat.loop_graphs import map_variables as map_variables
from tensordsl.compat.loop_graphs import reconstruct_graph as reconstruct_graph
from tensordsl.compat.loop_graphs import safe_new as safe_new

__all__ = ["clone", "equal_computations", "expand_empty", "forced_replace", "get_updates_and_outputs", "infer_shape", "isNaN_or_Inf_or_None", "map_variables", "reconstruct_graph", "safe_new", "until"]
