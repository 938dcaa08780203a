"""The Hessian Penalty of chosen layers of a Keras model."""

from keras_disentangle.layers.conditional_batch_normalization import BATCH_NORMALIZATIONS
from keras_disentangle.losses._layer_activations import LayerActivations, linear_layers_allowed
from keras_disentangle.losses._precision import full_precision
from keras_disentangle.losses.hessian_penalty import check_settings, hessian_penalty, penalties


class HessianPenaltyLoss:
    """The Hessian Penalty of a model's layers with respect to one of its inputs.

    It contains a network from the model's inputs to the activations of these layers, which shares
    the model's layers and computes nothing beyond the deepest of them.

    Which layers? The authors regularise many at once, including deep ones, each right after its
    normalisation. The penalty of a linear layer's output can also be lowered by shrinking that
    layer's weights, which disentangles nothing; so regularise the output of the next normalisation
    instead. Only an output of the model itself, whose scale is determined by other losses, may be
    linear. The normalised penalty (`normalized=True`) does not depend on the scale.

    Args:
        model: functional or `Sequential` model, built; or, with `outputs=None`, any other model.
        outputs: layers of `model`, or their names, whose activations are regularised; by default
            the outputs of `model`. A layer that is used several times counts with all its outputs.
            Layers inside a model that is itself a layer of `model` cannot be chosen.
        argument: index or name of the input with respect to which is differentiated.
        **settings: keyword arguments of `hessian_penalty`, with its defaults.

    Raises:
        ValueError: if a layer is not in the model or does not depend on that input; the model has
            no such input, or no graph although `outputs` are given; a setting is out of range.

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
        self.model = model
        with linear_layers_allowed(self.settings["normalized"]):
            self._activations = LayerActivations(model, outputs, argument)

    @property
    def layers(self):
        """The names of the layers: a list, empty for a model without a graph."""
        return list(self._activations.names)

    def __call__(self, inputs, directions=None, **kwargs):
        """The penalty, summed over the layers.

        Args:
            inputs: the tensor, or all the inputs, as the model takes them.
            directions: ones and minus ones (batch, num_directions, ...), the random vectors for an
                input (batch, ...); drawn by default. For the normalised penalty, as many standard
                normal vectors follow, and all are in units of the standard deviations of the input.
            **kwargs: further arguments of the model's call, such as `training` (Keras's default is
                False here, even in `fit`) and `mask`. With `one_pass`, `inputs` and `mask` are
                repeated for the points, but other tensors are not: they must fit a batch of
                2 `num_directions` times the size.

        Returns:
            Scalar tensor, float32 or wider.

        Raises:
            ValueError: if the inputs do not fit the model, or the input to differentiate is not a
                float tensor; the directions have another shape; the model is not built; its layers
                are not suited for `one_pass`.
        """
        return sum(self.per_output(inputs, directions, **kwargs).values())

    def per_output(self, inputs, directions=None, **kwargs):
        """The terms of that sum, a dict of layer name to scalar tensor.

        It shows at which layer the penalty is large, or not finite. A model without a graph has no
        layer names: the keys are then the paths of its outputs, "0" or "1/image", or "" for a
        single output.
        """
        one_pass, layers = self.settings["one_pass"], self._activations.layers
        copies = num_copies(self.settings)
        fn, z = self._activations.function(inputs, copies, **kwargs)
        check_layers(layers, one_pass=one_pass, training=kwargs.get("training"))
        fn = full_precision(fn, layers)
        return self._activations.by_layer(penalties(fn, z, directions=directions, **self.settings))


def num_copies(settings):
    """The factor by which the batches of an evaluation are larger than the codes."""
    times = 4 if settings["normalized"] else 2
    return times * settings["num_directions"] if settings["one_pass"] else 1


def check_layers(layers, *, one_pass, training):
    """Raises a ValueError where layers would make the penalty wrong.

    Args:
        layers: all layers of a network, including nested ones, each after the layer that contains
            it (`all_layers`).
        one_pass: as in `hessian_penalty`.
        training: whether the network is called as in training.
    """
    if not (one_pass and training):
        return
    # Inner layers first, so that the error names the innermost.
    for layer in reversed(layers):
        # A seed's state is a variable but not a weight.
        draws = len(layer.variables) > len(layer.weights)
        if draws or isinstance(layer, BATCH_NORMALIZATIONS):
            raise ValueError(
                "`one_pass` must be False in training if layers draw at random or use "
                "statistics of the batch, which would differ between the points. "
                f"Received: the layer {layer.name!r}"
            )
