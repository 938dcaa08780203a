"""Penalties of a generator as a function of its codes."""

from keras import tree

from keras_disentangle.losses._evaluation import Evaluation
from keras_disentangle.losses._precision import full_precision
from keras_disentangle.losses.hessian_penalty import rademacher
from keras_disentangle.penalties.penalty import Penalty


class GeneratorPenalty(Penalty):
    """Base of the penalties of a generator (or decoder) at latent codes.

    A subclass implements `evaluate`. It may use random directions, `num_directions` for each code,
    which the model draws, so that backends and replicas agree. Layers compute in float32; their
    updates of variables and the losses that they add are discarded.

    GANs evaluate it at the codes on which the generator is trained, with `training=True`; VAEs at
    the sampled codes, as constants unless it has a `code_gradient`; `DirectionDiscovery` at its
    latents, along its directions.

    Attributes:
        num_directions: number of random directions for each code; 0 unless a subclass sets it.
        code_gradient: whether models that encode images train their encoder on it too. Unless a
            subclass sets it, the codes are constants.
        scale_free: whether its value does not depend on the scale of the codes and activations:
            linear layers that follow a non-linearity may then be penalised, and directions come in
            units of the codes' standard deviations over the batch (except for
            `DirectionDiscovery`, whose own are of length 1).
        batch_maximum: whether its values are scalars, each the largest over the batch: under
            several devices, then, over the global batch. False unless a subclass sets it.
        copies: size of the batches that `evaluate` passes to its function, as a multiple of the
            batch of codes.

    Args:
        outputs: names of the generator's layers whose activations are penalised; `None` for the
            generator's output (in a `ProgressiveGAN`, for the layers that the model chooses); an
            integer n for the first n hidden layers of a `ProgressiveGAN`. It must be `None` for
            ladder VAEs, whose decoder is several networks.
        weight, every, name: as in `Penalty`.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> class Smoothness(kd.penalties.GeneratorPenalty):
    ...     num_directions = 1
    ...
    ...     def evaluate(self, fn, z, directions):
    ...         near, far = fn(z), fn(z + 0.1 * directions[:, 0])
    ...         return keras.tree.map_structure(lambda a, b: ops.mean(ops.square(a - b)), near, far)
    >>> smoothness = Smoothness(weight=0.1, name="smoothness")
    >>> model = kd.models.GAN(generator, discriminator, penalties=[smoothness])
    """

    num_directions = 0
    code_gradient = False
    scale_free = False
    batch_maximum = False
    copies = 1

    def __init__(self, outputs=None, weight=1.0, every=1, name="generator_penalty"):
        super().__init__(weight, every, name)
        is_count = isinstance(outputs, int) and not isinstance(outputs, bool) and outputs > 0
        is_named = outputs is None or all(isinstance(x, str) for x in tree.flatten(outputs))
        if not is_named and not is_count:
            raise ValueError(
                "`outputs` must be None, names of layers, or the number of first layers, >= 1. "
                f"Received: outputs={outputs!r}"
            )
        self.outputs = outputs

    def evaluate(self, fn, z, directions):
        """The penalty of each tensor that `fn` returns; a hook.

        Args:
            fn: function from codes to tensors (batch, ...) in some structure.
            z: codes (batch, d).
            directions: the result of `draw`, (batch, num_directions, d), or `None`.

        Returns:
            Scalars or tensors (batch,), in the structure of the results of `fn`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `evaluate`")

    def draw(self, shape, seed):
        """Random directions of entries 1 and -1, (batch, num_directions, d), for codes (batch, d).

        `None` if `num_directions` is 0.
        """
        return rademacher(shape, self.num_directions, seed) if self.num_directions else None

    def check_layers(self, layers, training):
        """Raises a ValueError if one of the generator's layers is not supported; a hook."""

    def per_layer(self, activations, inputs, directions, training):
        """The penalty of each layer: a dict from names to scalars or tensors (batch,).

        Args:
            activations: the `LayerActivations` of a generator, or an object with its interface.
            inputs: the generator's inputs.
            directions: as in `evaluate`.
            training: whether the generator is called in training mode.
        """
        if activations.names and not activations.present:
            return {}  # None of these layers is in use yet.
        layers = activations.layers
        fn, z = activations.function(inputs, self.copies, training=training)
        self.check_layers(layers, training)
        fn = Evaluation(full_precision(fn, layers))
        return activations.by_layer(self.evaluate(fn, z, directions))

    def get_config(self):
        return {**super().get_config(), "outputs": self.outputs}
