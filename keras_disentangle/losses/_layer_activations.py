"""Activations of a model's layers as a function of one of its inputs."""

import contextlib
import numbers
import warnings

import keras
from keras import ops, tree

from keras_disentangle._arguments import is_choice
from keras_disentangle._keras_graph import all_layers, node_of, nodes_behind

# The output of these is linear in their input, with a scale that no weight can change.
_LINEAR_WITHOUT_WEIGHTS = tuple(
    getattr(keras.layers, f"{kind}{rank}D")
    for kind in ("AveragePooling", "Cropping", "GlobalAveragePooling", "UpSampling", "ZeroPadding")
    for rank in (1, 2, 3)
) + (
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.Permute,
    keras.layers.RepeatVector,
    keras.layers.Reshape,
)


class LayerActivations:
    """The activations of a model's layers as a function of one of its inputs.

    It contains a network from the model's inputs to these activations, which shares the model's
    layers and computes nothing beyond the deepest of them.

    Attributes:
        names: the names of the layers, a list; empty for a model without a graph.

    Args:
        model, outputs, argument: as in `HessianPenaltyLoss`.
    """

    def __init__(self, model, outputs=None, argument=0):
        if not isinstance(model, keras.Layer):
            raise ValueError(f"`model` must be a Keras model or layer. Received: model={model!r}")
        self.model = model
        self.names = []
        # Only models with a graph of layers have them.
        self._inputs = getattr(model, "inputs", None)
        if self._inputs is None:
            if outputs is not None:
                raise ValueError(
                    "`outputs` must be None unless `model` is a functional model, or a built "
                    f"`Sequential` one. Received: outputs={outputs}, model={model}"
                )
            self._index, self._network = argument, model
            return
        names = [x.name for x in self._inputs]
        self._index = names.index(argument) if is_choice(argument, names) else argument
        if not _is_index(self._index, len(names)):
            raise ValueError(
                f"`argument` must be the index or the name of one of the inputs {names}. "
                f"Received: argument={argument!r}"
            )
        activations = self._activations(outputs)
        self.names = list(activations)
        # From a list to a dict of lists, whatever the structure of the model's inputs and outputs.
        self._network = keras.Model(self._inputs, activations, name=f"{model.name}_activations")

    @property
    def layers(self):
        """All layers, including nested ones, each after the layer that contains it."""
        return all_layers(self._network)

    @property
    def present(self):
        """The names of the layers that are currently in use: all of them."""
        return self.names

    def function(self, inputs, copies=1, **kwargs):
        """The activations as a function of the chosen input, and its value.

        Args:
            inputs: the tensor, or all the inputs, as the model takes them.
            copies: factor by which the function's batches are larger than `inputs`: the other
                inputs and `mask` are repeated as often.
            **kwargs: further arguments of the model's call.

        Returns:
            (function, tensor).
        """
        if not self._network.built:
            raise ValueError(f"`model` must be built. Received: model={self.model}")
        flat = self._flat(inputs)

        def repeat(x):
            return x if x is None else ops.concatenate([x] * copies, axis=0)

        if "mask" in kwargs:
            kwargs["mask"] = tree.map_structure(repeat, kwargs["mask"])
        z, flat[self._index] = flat[self._index], None
        flat = [repeat(x) for x in flat]

        def activations(z):
            values = [z if i == self._index else x for i, x in enumerate(flat)]
            if self._inputs is None:
                values = tree.pack_sequence_as(inputs, values)
            return self._network(values, **kwargs)

        return activations, z

    def by_layer(self, found):
        """Values of the function's outputs, as a dict by layer name.

        The values of a layer that is used several times are summed. A model without a graph has no
        layer names: the keys are then the paths of its outputs, "0" or "1/image", or "" for a
        single output.
        """
        if self._inputs is not None:
            return {name: sum(found[name]) for name in self.names}
        places = tree.flatten_with_path(found)
        return {"/".join(map(str, path)): value for path, value in places}

    def _flat(self, inputs):
        """The model's inputs as a list."""
        if self._inputs is None:
            flat = tree.flatten(inputs)
            if not _is_index(self._index, len(flat)):
                raise ValueError(
                    f"`argument` must be the index of one of the {len(flat)} inputs. "
                    f"Received: argument={self._index!r}"
                )
            return flat
        names = [x.name for x in self._inputs]
        given = inputs
        if isinstance(inputs, dict):
            # It may contain more than the model's inputs.
            keys = None if isinstance(self.model, keras.Sequential) else self.model.input
            if isinstance(keys, dict):
                given = {key: inputs.get(key) for key in keys}
            else:
                given = [inputs.get(name) for name in names]
        flat = tree.flatten(given)
        if len(flat) != len(names) or flat[self._index] is None:
            raise ValueError(
                f"`inputs` must be the model's inputs {names}. Received: inputs={inputs}"
            )
        return flat

    def _activations(self, outputs):
        """Dict from the names of the layers to lists of their output tensors."""
        graph = nodes_behind(self.model.outputs)
        activations = {}
        if outputs is None:
            for x in self.model.outputs:
                activations.setdefault(node_of(x).operation, []).append(x)
        else:
            outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
            for output in outputs:
                nodes = [n for n in graph if is_choice(output, (n.operation, n.operation.name))]
                if not nodes or nodes[0].is_input:
                    raise ValueError(self._not_found(output))
                activations[nodes[0].operation] = [x for n in nodes for x in n.output_tensors]
            if not activations:
                raise ValueError(f"`outputs` must name at least one layer. Received: {outputs}")
        z = self._inputs[self._index]
        for layer, tensors in activations.items():
            if not any(x is z for n in nodes_behind(tensors) for x in n.output_tensors):
                raise ValueError(
                    f"`outputs` must be layers that depend on the input {z.name!r}. "
                    f"Received: {layer.name!r}, which does not"
                )
        ends = {id(x) for end in self.model.outputs for x in _same_scale(end)}
        linear = [
            layer.name
            for layer, tensors in activations.items()
            if not ends.issuperset(map(id, tensors))
            and any(_is_linear(x) for tensor in tensors for x in _same_scale(tensor))
        ]
        if linear and self.model.trainable_variables:
            warnings.warn(
                f"The layers {linear} are linear, or come right after a linear layer: the "
                "penalty of their outputs can be lowered by shrinking weights, without "
                "disentangling anything. The authors' advice: \"apply the Hessian Penalty after "
                'normalization layers" (Peebles et al., 2020)',
                stacklevel=4,
            )
        return {layer.name: tensors for layer, tensors in activations.items()}

    def _not_found(self, output):
        name = getattr(output, "name", output)
        message = "`outputs` must be layers of the model, or their names. "
        if is_choice(name, [layer.name for layer in all_layers(self.model)[1:]]):
            if not is_choice(name, [layer.name for layer in self.model.layers]):
                message += (
                    "A layer inside another model has to be given with that model as `model`. "
                )
        return f"{message}Received: {output!r}, not one of {[x.name for x in self.model.layers]}"


@contextlib.contextmanager
def linear_layers_allowed(allowed):
    """A context in which linear layers may be chosen without a warning, if `allowed`."""
    with warnings.catch_warnings():
        if allowed:
            warnings.filterwarnings("ignore", "The layers .* are linear")
        yield


def _is_index(value, size):
    return isinstance(value, numbers.Integral) and 0 <= value < size


def _same_scale(tensor):
    """A symbolic tensor, and those from which it results by layers that preserve the scale."""
    node, found = node_of(tensor), [tensor]
    if isinstance(node.operation, _LINEAR_WITHOUT_WEIGHTS):
        for x in node.input_tensors:
            found += _same_scale(x)
    return found


def _is_linear(tensor):
    return getattr(node_of(tensor).operation, "activation", None) is keras.activations.linear
