"""All uses of Keras's private API: the one file to adapt if a release changes it."""

import contextlib
import threading

import keras
from keras.src.backend.common.global_state import get_global_attribute

# Layers and the graph of a functional model


def all_layers(*networks, include_self=True):
    """All layers of networks, including nested ones, each after the layer that contains it."""
    return [layer for network in networks for layer in network._flatten_layers(include_self)]


def node_of(tensor):
    """The node of the graph that produces a symbolic tensor.

    It has `operation`, `input_tensors`, `output_tensors` and `is_input`.
    """
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def nodes_behind(tensors):
    """All nodes of the graph on which some symbolic tensors depend."""
    found, todo = {}, list(tensors)
    while todo:
        node = node_of(todo.pop())
        if id(node) not in found:
            found[id(node)] = node
            todo += node.input_tensors
    return list(found.values())


def own_losses(*layers):
    """The losses that layers have added by `add_loss`, without those of nested layers."""
    return [loss for layer in layers for loss in layer._get_own_losses()]


def clear_losses(model):
    """Discards the losses that the layers of a model have added by `add_loss`."""
    model._clear_losses()


def changed_by_calls(network):
    """The variables that calls may change, such as statistics and seeds; not the weights, which
    only training changes, or which are frozen."""
    weights = {id(v) for layer in all_layers(network) for v in layer._trainable_variables}
    return [v for v in network.variables if not v.trainable and id(v) not in weights]


# Attributes that are float32 at present: number of active contexts, owner, original value.
_lock, _wide = threading.Lock(), {}


@contextlib.contextmanager
def in_float32(layers):
    """A context in which those of `layers` that compute in half precision use float32.

    Replicas compute in threads, which may enter and leave in any order: the last one to leave
    restores the policies.
    """
    with _lock:
        parts = list(_in_half_precision(layers))
        for owner, name, value in parts:
            count, _, before = _wide.get((id(owner), name), (0, owner, getattr(owner, name)))
            _wide[id(owner), name] = count + 1, owner, before
            if not count:
                setattr(owner, name, value)
    try:
        yield
    finally:
        with _lock:
            for owner, name, _ in parts:
                count, _, before = _wide.pop((id(owner), name))
                if count > 1:
                    _wide[id(owner), name] = count - 1, owner, before
                else:
                    setattr(owner, name, before)


def _in_half_precision(layers):
    """Attributes to set to float32, or set already, as (owner, attribute, value)."""
    half = ("bfloat16", "float16")
    for layer in layers:
        is_wide = (id(layer), "_dtype_policy") in _wide
        is_half = layer.compute_dtype in half and layer.dtype_policy.quantization_mode is None
        if is_wide or is_half:
            yield layer, "_dtype_policy", _Float32(layer.variable_dtype)
        # The dtype to which nested models cast their inputs.
        is_model = isinstance(layer, keras.Model)
        for x in (layer, *((is_model and getattr(layer, "inputs", None)) or ())):
            if (id(x), "_dtype") in _wide or getattr(x, "_dtype", None) in half:
                yield x, "_dtype", "float32"


class _Float32(keras.DTypePolicy):
    """Float32 computations with variables of another dtype, which Keras casts on use."""

    def __init__(self, variable_dtype):
        super().__init__("float32")
        self._stored = variable_dtype

    @property
    def variable_dtype(self):
        return self._stored


# Optimizers and metrics


def moved_variables(optimizer):
    """The variables that an optimizer was built for."""
    return optimizer._trainable_variables


def averages(optimizer):
    """The moving averages of these variables, if the optimizer has `use_ema=True`."""
    return optimizer._model_variables_moving_average


def rate_or_schedule(optimizer):
    """The learning rate as the optimizer holds it: a variable or a schedule."""
    return optimizer._learning_rate


def portable_optimizer(config):
    """A serialized optimizer that loads on every backend: PyTorch has its own classes."""
    if not isinstance(config, dict):
        return config
    config = {key: portable_optimizer(part) for key, part in config.items()}
    if str(config.get("module")).startswith("keras.src.backend.torch.optimizers"):
        config["module"], config["registered_name"] = "keras.optimizers", None
    return config


def direction_of(metric):
    """The better direction of a metric, "up" or "down", or `None` if it is not declared."""
    return getattr(metric, "_direction", None)


def set_direction(metric, direction):
    metric._direction = direction


# Training


def begin_at(model, epoch):
    """Sets the epoch at which the `fit` that is beginning starts; `None`: its `initial_epoch`."""
    model._initial_epoch = epoch


def is_within_fit(arguments):
    """Whether `evaluate` is called by `fit`, for validation."""
    return arguments.get("_use_cached_eval_dataset") is True


def wait_for_callbacks(callback_list):
    """Waits until Keras's calls of callbacks from other threads have finished."""
    callback_list._flush_futures()


def strategy_of(model):
    """The strategy of TensorFlow under which a model was made, or `None`."""
    return model._distribute_strategy


def is_multi_process(distribution):
    """Whether a `keras.distribution.Distribution` spans several processes."""
    return distribution._is_multi_process


def is_saving_to_hdf5():
    """Whether `get_config` is called because a whole model is being saved to HDF5."""
    return bool(get_global_attribute("use_legacy_config"))


# Attributes of Keras's callbacks that are recreated when training begins, by class.
MADE_ANEW = {
    keras.callbacks.Callback: {"params", "_model"},
    # The sign of `min_delta` is turned when `monitor_op` is chosen.
    keras.callbacks.EarlyStopping: {"monitor_op", "min_delta"},
    keras.callbacks.ReduceLROnPlateau: {"monitor_op", "min_delta"},
    keras.callbacks.ModelCheckpoint: {"monitor_op", "min_delta"},
    keras.callbacks.CSVLogger: {"csv_file", "writer", "append_header"},
    keras.callbacks.TensorBoard: {
        "_batch_start_time",
        "_batch_trace_context",
        "_epoch_start_time",
        "_is_tracing",
        "_prev_summary_state",
        "_previous_epoch_iterations",
        "_profiler_started",
        "_should_write_train_graph",
        "_summary_module",
        "_writers",
    },
}
