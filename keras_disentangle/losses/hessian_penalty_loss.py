"""The Hessian Penalty of chosen layers of a Keras model."""

import numbers
import warnings

import keras
from keras import ops, tree

from keras_disentangle._arguments import is_choice
from keras_disentangle.layers._feature_sources import nodes_behind
from keras_disentangle.layers.conditional_batch_normalization import BATCH_NORMALIZATIONS
from keras_disentangle.losses._precision import full_precision
from keras_disentangle.losses.hessian_penalty import check_settings, hessian_penalty, penalties

# What leaves these is linear in what enters them, at a scale that they cannot change.
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


class HessianPenaltyLoss:
    """The Hessian Penalty of a model's layers with respect to one of its inputs.

    Holds a network from the model's inputs to the activations of these layers, which shares the
    model's layers and computes nothing beyond the deepest of them.

    Which layers? The authors regularise many at once, deep ones among them, each right after its
    normalisation. The penalty of what leaves a linear layer can also be lowered by shrinking that
    layer's weights, which disentangles nothing; so regularise what comes after the next
    normalisation instead. Only an output of the model itself, whose scale other losses hold, may
    be linear.

    Args:
        model: functional or `Sequential` model, built; or, with `outputs=None`, any other model.
        outputs: layers of `model`, or their names, whose activations are regularised; by default
            what `model` gives. A layer that is used several times counts with all that it gives.
            The layers inside a model that is itself a layer of `model` are out of reach.
        argument: the input to differentiate with respect to: its index or its name.
        **settings: keywords of `hessian_penalty`, with its defaults.

    Raises:
        ValueError: if a layer is not one of the model's or does not depend on that input; the
            model has no such input, or no graph although `outputs` are given; a setting is out of
            range.

    Example:

    >>> norm = kd.layers.PixelNormalization(name="norm")
    >>> generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), norm])
    >>> penalty = kd.losses.HessianPenaltyLoss(generator, ["norm"], seed=0)
    >>> weight, z = 0.1, np.ones((8, 4))
    >>> weight * penalty(z)

    Reference: Peebles et al., 2020 (The Hessian Penalty), eq. 4, 5 and 7, appendix A.3.
    """

    def __init__(self, model, outputs=None, argument=0, **settings):
        self.settings = {**hessian_penalty.__kwdefaults__, **settings}
        check_settings(**self.settings)
        if not isinstance(model, keras.Layer):
            raise ValueError(f"`model` must be a Keras model or layer. Received: model={model!r}")
        self.model = model
        # Only what consists of a graph of layers has them.
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
        self._names = list(activations)
        # From a list to a dict of lists, whatever structures the model itself has.
        self._network = keras.Model(self._inputs, activations, name=f"{model.name}_activations")

    @property
    def layers(self):
        """The names of the layers: a list, empty for a model without a graph."""
        return [] if self._inputs is None else self._names

    def __call__(self, inputs, directions=None, **kwargs):
        """The penalty, summed over the layers.

        Args:
            inputs: the tensor, or all the inputs, as the model takes them.
            directions: ones and minus ones (batch, num_directions, ...), the random vectors for an
                input (batch, ...); by default they are drawn.
            **kwargs: more arguments of the model's call, such as `training` (Keras's default is
                False here, in `fit` as well) and `mask`. With `one_pass`, `inputs` and `mask` are
                repeated for the points, but other tensors among these arguments are not: they
                have to fit a batch of 2 `num_directions` times the size.

        Returns:
            Scalar tensor, float32 or wider.

        Raises:
            ValueError: if the inputs are not what the model takes, or the one to differentiate is
                not a float tensor; the directions have another shape; the model is not built; its
                layers do not suit `one_pass`.
        """
        return sum(self.per_output(inputs, directions, **kwargs).values())

    def per_output(self, inputs, directions=None, **kwargs):
        """The terms of that sum: a dict from the layers' names to scalar tensors.

        So it tells at which layer a penalty is large, or not finite. A model without a graph has
        no such names: there it is the place of each output in what the model gives, "0" or
        "1/image", or "" for a single one.
        """
        if not self._network.built:
            raise ValueError(f"`model` must be built. Received: model={self.model}")
        layers = self._network._flatten_layers()
        check_layers(
            layers,
            one_pass=self.settings["one_pass"],
            training=kwargs.get("training"),
        )
        flat = self._flat(inputs)
        copies = 2 * self.settings["num_directions"] if self.settings["one_pass"] else 1

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

        activations = full_precision(activations, layers)
        found = penalties(activations, z, directions=directions, **self.settings)
        if self._inputs is not None:
            return {name: sum(found[name]) for name in self._names}
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
            # More than the model's inputs may be in it.
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
        """Dict from the names of the layers to the lists of the tensors that they give."""
        graph = nodes_behind(self.model.outputs)
        activations = {}
        if outputs is None:
            for x in self.model.outputs:
                activations.setdefault(x._keras_history.operation, []).append(x)
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
        if linear:
            warnings.warn(
                f"The layers {linear} are linear, or come right after a linear layer: what leaves "
                "them can be made to have a small Hessian Penalty by shrinking weights, without "
                "disentangling anything. The authors' advice: \"apply the Hessian Penalty after "
                'normalization layers" (Peebles et al., 2020)',
                stacklevel=3,
            )
        return {layer.name: tensors for layer, tensors in activations.items()}

    def _not_found(self, output):
        name = getattr(output, "name", output)
        message = "`outputs` must be layers of the model, or their names. "
        if is_choice(name, [layer.name for layer in self.model._flatten_layers()[1:]]):
            if not is_choice(name, [layer.name for layer in self.model.layers]):
                message += (
                    "A layer inside another model has to be given with that model as `model`. "
                )
        return f"{message}Received: {output!r}, not one of {[x.name for x in self.model.layers]}"


def check_layers(layers, *, one_pass, training):
    """Raises a ValueError where layers would make the penalty wrong.

    Args:
        layers: list of all layers of a network, parts of parts too, each after what it is a part
            of (Keras's `_flatten_layers()`).
        one_pass: as for `hessian_penalty`.
        training: whether the network is called as in training.
    """
    if not (one_pass and training):
        return
    # From the parts to the whole, to name the part.
    for layer in reversed(layers):
        # The state of a seed is a variable, but not a weight.
        draws = len(layer.variables) > len(layer.weights)
        if draws or isinstance(layer, BATCH_NORMALIZATIONS):
            raise ValueError(
                "`one_pass` must be False in training where layers draw at random or use "
                "statistics of the batch, which would differ between the points. "
                f"Received: the layer {layer.name!r}"
            )


def _is_index(value, size):
    return isinstance(value, numbers.Integral) and 0 <= value < size


def _same_scale(tensor):
    """A tensor of the graph, and those behind it whose scale it has, by linear layers alone."""
    layer, index, _ = tensor._keras_history
    found = [tensor]
    if isinstance(layer, _LINEAR_WITHOUT_WEIGHTS):
        for x in layer._inbound_nodes[index].input_tensors:
            found += _same_scale(x)
    return found


def _is_linear(tensor):
    layer, _, _ = tensor._keras_history
    return getattr(layer, "activation", None) is keras.activations.linear
