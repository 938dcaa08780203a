"""The phased train step on TensorFlow."""

import contextlib
import re
import threading

import tensorflow as tf
from keras import tree
from tensorflow.python.client.device_lib import list_local_devices

from keras_disentangle._keras_graph import all_layers
from keras_disentangle.losses._second_derivative import twice_differentiable
from keras_disentangle.trainers._as_keras import (  # noqa: F401
    keras_test_step,
    keras_train_step,
    no_graph,
)
from keras_disentangle.trainers._pixels import as_floats

# The assertions that `prepare` adds, in the thread of each replica while it is traced.
_tracing = threading.local()


def train_step(model, batch):
    required = _tracing.required = []
    try:
        batch = model.prepare(batch)
    finally:
        _tracing.required = None
    # Without the dependency, a graph would not wait for them: no later operation uses their result.
    with tf.control_dependencies(required):
        return _train_step(model, batch)


def _train_step(model, batch):
    replicas, _ = replica()
    through = tf.GradientTape()
    with through:
        shared = model.share_of(batch)
    constant = tree.map_structure(tf.stop_gradient, shared)
    for move in model.moves:
        optimizer, sharing = model.optimizer[move.phase.slot], move is model.sharing_move
        # Continuing the tape of `share_of` lets the gradient flow through it.
        tape = through if sharing else tf.GradientTape()
        with tape:
            loss = model.loss_of(move.phase, batch, shared if sharing else constant)
            # Gradients are summed over replicas.
            loss = optimizer.scale_loss(loss / replicas)
        # Zeros, as on JAX, so that Adam's momentum moves unused variables in the same way.
        zero = tf.UnconnectedGradients.ZERO
        # TensorFlow makes no zeros for Keras's variables, whose dtype is a string.
        values = [variable.value for variable in move.variables]
        grads = tape.gradient(loss, values, unconnected_gradients=zero)
        optimizer.apply(grads, move.variables)
    model.finish(batch, constant[0])
    return model.get_metrics_result()


def input_gradient(model, fn, x):
    with twice_differentiable(), tf.GradientTape() as tape:
        tape.watch(x)
        outputs = fn(x)
        total = tf.reduce_sum(outputs[0])
    return outputs, tape.gradient(total, x)


def replica():
    """The number of replicas that compute this step together, and the index of this one."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 1, 0
    return context.num_replicas_in_sync, context.replica_id_in_sync_group


def gather(tensors):
    """Tensors (n, ...) with the rows of all replicas, and the slice of the rows of this one.

    The gradient of a gathered tensor is the sum of those of all replicas, cut to the rows of this
    one. Each replica's loss is divided by their number, so where all of them compute the same loss
    from the gathered tensors, the sum is its gradient with respect to these rows, as on one device.
    Every replica must call it, and outside of conditions.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensors, slice(None)
    size = tf.shape(tensors[0])[:1]
    # One by one: the gradient of a list of which some are unused would mix host and device.
    *gathered, sizes = (context.all_gather(x, axis=0) for x in [*tensors, size])
    for x, whole in zip(tensors, gathered, strict=True):
        whole.set_shape([None, *x.shape[1:]])  # Which gathering forgets.
    end = tf.cumsum(sizes)[context.replica_id_in_sync_group]
    return gathered, slice(end - size[0], end)


def training(model, arguments):
    """A context of `fit`; nothing to do on this backend."""
    return contextlib.nullcontext()


def evaluation(model, within_fit):
    """A context of `evaluate`; nothing to do on this backend."""
    return contextlib.nullcontext()


def processes_of_run():
    """The number of processes that train together, and the index of this one: by TF_CONFIG."""
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    cluster = resolver.cluster_spec()
    jobs = [job for job in ("chief", "worker") if job in cluster.jobs]
    tasks = [(job, i) for job in jobs for i in cluster.task_indices(job)]
    place = resolver.task_type, resolver.task_id
    return (len(tasks), tasks.index(place)) if place in tasks else (1, 0)


def metrics_result(model, result):
    """Keras's own logs, `result()`; of several workers, with the axis that Keras takes means along.

    Without it, `fit` fails under `MultiWorkerMirroredStrategy` (keras issue 20585).
    """
    logs, context = result(), tf.distribute.get_replica_context()
    if context is None or not isinstance(
        context.strategy, tf.distribute.MultiWorkerMirroredStrategy
    ):
        return logs
    several = processes_of_run()[0] > 1
    return {name: tf.reshape(value, (1,)) for name, value in logs.items()} if several else logs


def part_of_batch(strategy, iterator, batch):
    """One replica's part of a batch, or of the first one of Keras's iterator over epochs."""
    if strategy is None:
        return None
    if iterator is not None:
        batch = next(next(iter(iterator))[2])
    return tree.map_structure(lambda x: strategy.experimental_local_results(x)[0], batch)


def callbacks():
    """The callbacks that every training needs on this backend."""
    return []


def train_function(model, train):
    """Keras's own, `train`."""
    return train


def build_optimizer(model):
    """Builds it before the first step, which TensorFlow traces again if it creates variables.

    Raises:
        ValueError: if the model was made outside of the present strategy.
    """
    strategy = tf.distribute.get_strategy()
    made_in_scope = strategy.extended.variable_created_in_scope(model.step.value)
    if tf.distribute.has_strategy() and not made_in_scope:
        raise ValueError(
            "The model must be made in the scope of the strategy in which it is trained. Received: "
            f"`fit` under {type(strategy).__name__}, and a model made outside of its scope"
        )
    layers_are_built = all(layer.built for layer in all_layers(model))
    if model.compiled and layers_are_built and not model.optimizer.built:
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)


def require(condition, message, value):
    """Stops the step unless a tensor is true: in `prepare`, before any variable is updated.

    XLA leaves this out. The value received is appended to `message`. `readable_errors` raises a
    ValueError with it.
    """
    operation = tf.debugging.Assert(condition, [_MARK + message, value])
    required = getattr(_tracing, "required", None)
    # Outside of a graph the assertion was made at once, and is None.
    if operation is not None and required is not None:
        required.append(operation)


def hold(model, images):
    """The images (n, h, w, c) on the device, or a copy of them on each of several."""
    with model.distribute_strategy.scope():
        return tf.Variable(images, trainable=False)


def take_rows(images, index):
    copies = getattr(images, "values", None)
    if copies is not None:
        number = tf.get_static_value(tf.convert_to_tensor(replica()[1]))
        images = copies[number % len(copies)]  # The one of this replica.
    return as_floats(images.sparse_read(index))


def free_memory(model):
    """The free bytes of the GPU, or of the fullest of several; `None` for the machine's own."""
    limits = {x.name.removeprefix("/device:"): x.memory_limit for x in list_local_devices()}
    gpus = [x for x in limits if x.startswith("GPU")]
    used = tf.config.experimental.get_memory_info
    return min((limits[x] - used(x)["current"] for x in gpus), default=None)


@contextlib.contextmanager
def readable_errors():
    """Turns an error of `require`, or a ValueError of the data, into one with its message alone."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        # Of data in Python, such as a file of a stream that has vanished.
        if found := re.search(r"\bValueError: (.*?)\nTraceback ", str(error), re.DOTALL):
            raise ValueError(found[1]) from None
        if _MARK not in str(error):
            raise
        message, value = re.search(_MARK + r"(.*?)\] \[(.*?)\]", str(error), re.DOTALL).groups()
        raise ValueError(message + value) from None


_MARK = "keras_disentangle requires: "
