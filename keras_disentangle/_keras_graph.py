"""All that is used of Keras beyond its public interface: the one file to mend where a release
changes it."""

import contextlib
import threading

import keras
from keras.src.backend.common.global_state import get_global_attribute

# Layers and the graph of a functional model


def all_layers(*networks, include_self=True):
    """The layers of networks, parts of parts too, each after what it is a part of."""
    return [layer for network in networks for layer in network._flatten_layers(include_self)]


def node_of(tensor):
    """The node of the graph that a tensor of it comes from.

    It has an `operation`, `input_tensors`, `output_tensors`, and `is_input`.
    """
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def nodes_behind(tensors):
    """The nodes of the graph that some tensors come from."""
    found, todo = {}, list(tensors)
    while todo:
        node = node_of(todo.pop())
        if id(node) not in found:
            found[id(node)] = node
            todo += node.input_tensors
    return list(found.values())


def own_losses(*layers):
    """What layers themselves have added by `add_loss`, their parts left out."""
    return [loss for layer in layers for loss in layer._get_own_losses()]


def clear_losses(model):
    """Forgets what the layers of a model have added by `add_loss`."""
    model._clear_losses()


def changed_by_calls(network):
    """The variables that calls may change: statistics, seeds and the like, but no weights, which
    are moved by training alone, or frozen."""
    weights = {id(v) for layer in all_layers(network) for v in layer._trainable_variables}
    return [v for v in network.variables if not v.trainable and id(v) not in weights]


# What is in float32 for the time being: how often that was asked for, the owner, the value before.
_lock, _wide = threading.Lock(), {}


@contextlib.contextmanager
def in_float32(layers):
    """While it lasts, those among `layers` that compute in half precision use float32.

    Replicas compute in threads, which may enter and leave in any order: the last one out puts
    things back.
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
    """What is to be in float32, also if it is already, as (owner, attribute, value)."""
    half = ("bfloat16", "float16")
    for layer in layers:
        is_wide = (id(layer), "_dtype_policy") in _wide
        is_half = layer.compute_dtype in half and layer.dtype_policy.quantization_mode is None
        if is_wide or is_half:
            yield layer, "_dtype_policy", _Float32(layer.variable_dtype)
        # What models that are parts of others cast their inputs to.
        is_model = isinstance(layer, keras.Model)
        for x in (layer, *((is_model and getattr(layer, "inputs", None)) or ())):
            if (id(x), "_dtype") in _wide or getattr(x, "_dtype", None) in half:
                yield x, "_dtype", "float32"


class _Float32(keras.DTypePolicy):
    """Float32, with variables stored in another dtype: Keras casts them where they are used."""

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
    """The moving averages of these variables, where the optimizer has `use_ema=True`."""
    return optimizer._model_variables_moving_average


def rate_or_schedule(optimizer):
    """The learning rate as the optimizer holds it: a variable or a schedule."""
    return optimizer._learning_rate


def portable_optimizer(config):
    """A serialized optimizer for every backend: PyTorch has optimizers of its own."""
    if not isinstance(config, dict):
        return config
    config = {key: portable_optimizer(part) for key, part in config.items()}
    if str(config.get("module")).startswith("keras.src.backend.torch.optimizers"):
        config["module"], config["registered_name"] = "keras.optimizers", None
    return config


def direction_of(metric):
    """Whether more of a metric is better, "up", or less, "down"; None where it does not say."""
    return getattr(metric, "_direction", None)


def set_direction(metric, direction):
    metric._direction = direction


# Training


def begin_at(model, epoch):
    """Lets the `fit` that is beginning set out from an epoch; None: from its own first."""
    model._initial_epoch = epoch


def is_within_fit(arguments):
    """Whether `evaluate` is called by `fit`, for its validation."""
    return arguments.get("_use_cached_eval_dataset") is True


def wait_for_callbacks(callback_list):
    """Until the calls that Keras makes from other threads are over."""
    callback_list._flush_futures()


def is_multi_process(distribution):
    """Whether a `keras.distribution.Distribution` spans several processes."""
    return distribution._is_multi_process


def is_saving_to_hdf5():
    """Whether a configuration is asked for by a whole model's saving to HDF5."""
    return bool(get_global_attribute("use_legacy_config"))


# Attributes of Keras's callbacks that are made anew where training begins: by class.
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
