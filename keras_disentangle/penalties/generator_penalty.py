"""Penalties of what a generator does to its codes."""

from keras import tree

from keras_disentangle.losses._evaluation import Evaluation
from keras_disentangle.losses._precision import full_precision
from keras_disentangle.losses.hessian_penalty import rademacher
from keras_disentangle.penalties.penalty import Penalty


class GeneratorPenalty(Penalty):
    """Base of the penalties of a generator (or decoder) at latent codes.

    A subclass implements `evaluate`. What is drawn at random are directions, `num_directions` for
    each code; the model draws them, so that backends and replicas agree. Layers compute in
    float32, and nothing that they write to their variables or add to the losses is kept.

    GANs evaluate it at the codes that the generator is trained on, with `training=True`; VAEs at
    the codes that were sampled, as constants; `DirectionDiscovery` at its latents, along its
    directions.

    Attributes:
        num_directions: how many directions are drawn for each code: none, unless a subclass says
            otherwise.
        copies: how many times as large as the batch of codes the batches are that `evaluate` gives
            to its function.

    Args:
        outputs: names of the generator's layers whose activations are looked at; `None` for what
            the generator gives, or the layers that a `ProgressiveGAN` chooses; an integer for the
            first so many layers of a `ProgressiveGAN`. `None` for VAEs.
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
    copies = 1

    def __init__(self, outputs=None, weight=1.0, every=1, name="generator_penalty"):
        super().__init__(weight, every, name)
        is_count = isinstance(outputs, int) and not isinstance(outputs, bool) and outputs > 0
        is_named = outputs is None or all(isinstance(x, str) for x in tree.flatten(outputs))
        if not is_named and not is_count:
            raise ValueError(
                "`outputs` must be None, names of layers, or how many of the first layers. "
                f"Received: outputs={outputs!r}"
            )
        self.outputs = outputs

    def evaluate(self, fn, z, directions):
        """The penalty of each tensor that `fn` gives; a hook.

        Args:
            fn: function from codes to tensors (batch, ...) in some structure.
            z: codes (batch, d).
            directions: what `draw` gave, (batch, num_directions, d), or `None`.

        Returns:
            Scalars or tensors (batch,), in the structure that `fn` gives.
        """
        raise NotImplementedError

    def draw(self, shape, seed):
        """Directions (batch, num_directions, d) for codes of a shape (batch, d): ones, minus ones.

        `None` if it wants none.
        """
        return rademacher(shape, self.num_directions, seed) if self.num_directions else None

    def check_layers(self, layers, training):
        """Raises a ValueError if one of all layers of the generator does not suit; a hook."""

    def per_layer(self, activations, inputs, directions, training):
        """The penalty of each layer: a dict from names to scalars or tensors (batch,).

        Args:
            activations: the `Activations` of a generator.
            inputs: what the generator takes.
            directions: as in `evaluate`.
            training: whether the generator is called as in training.
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
