"""Directions in a frozen generator's latent space whose effects are alike wherever one starts."""

import math
from functools import partial

import keras
from keras import ops, tree

from keras_disentangle._arguments import check_flag, check_int, check_number
from keras_disentangle._keras_graph import set_direction
from keras_disentangle.losses import direction_contrast
from keras_disentangle.losses._layer_activations import LayerActivations
from keras_disentangle.models.frozen_generator_model import FrozenGeneratorModel
from keras_disentangle.trainers import Phase


@keras.saving.register_keras_serializable("keras_disentangle")
class LatentCLR(FrozenGeneratorModel):
    r"""Learns orthonormal directions of a frozen generator by contrasting their effects.

    The effect of direction k at z is the change of a layer's activations, $f(z + s q_k) - f(z)$.
    `kd.losses.direction_contrast` makes effects of one direction alike at all z of a batch, and
    unlike those of the other directions. All directions are taken at each z, so the layers below
    are evaluated k + 1 times. Logged are `contrastive_loss` and `contrastive_accuracy`, the share
    of effects that are more like those of their own direction.

    Departures from the release: directions are orthonormal, where it only normalises them; it also
    has directions that depend on z, and a generator that the change enters at some layers only.

    Args:
        generator, directions, space, labels, num_classes, argument, image_range, seed: as in
            `kd.models.DirectionDiscovery`; there must be at least two directions.
        outputs: layer of the generator, or its name, whose activations are compared, or a list of
            layers; by default its output. The release takes an early layer.
        path_size: s, the size of all steps, > 0, in units of the latent space; 0.1 in the release,
            1 to 3 in its examples.
        temperature, absolute: as in `kd.losses.direction_contrast`.

    Raises:
        ValueError: as `kd.models.DirectionDiscovery`; if there is a single direction, or the
            generator has no such layer; from `fit`, if a batch is a single latent.

    Example:

    >>> generator.trainable = False
    >>> model = LatentCLR(generator, seed=0)
    >>> model.compile()
    >>> model.fit(steps=1000, epochs=50, batch_size=32)

    Reference: Yüksel et al., 2021 (LatentCLR), section 3.
    """

    learning_rate = 1e-3

    def __init__(
        self,
        generator,
        directions=None,
        space=None,
        labels=None,
        num_classes=None,
        argument=0,
        outputs=None,
        path_size=0.1,
        temperature=2.0,
        absolute=True,
        image_range="auto",
        seed=None,
        **kwargs,
    ):
        super().__init__(
            generator,
            directions,
            space,
            labels,
            num_classes,
            argument,
            check_number("path_size", path_size, above=0),
            image_range,
            seed,
            **kwargs,
        )
        if self.directions.num_directions < 2:
            raise ValueError(
                "`directions` must be at least two, which are contrasted. "
                f"Received: {self.directions.num_directions}"
            )
        self.temperature = check_number("temperature", temperature, above=0)
        self.absolute = check_flag("absolute", absolute)
        self.layer = LayerActivations(generator, outputs, argument=self._index)
        self.outputs = self.layer.names if outputs is not None else None
        self.add_terms("contrastive_loss")
        self.trackers["contrastive_accuracy"] = keras.metrics.Mean("contrastive_accuracy")
        set_direction(self.trackers["contrastive_accuracy"], "up")

    def fit(self, steps=1000, *, batch_size=16, epochs=1, **kwargs):
        batch_size = check_int("batch_size", batch_size, minimum=2)
        return super().fit(steps, batch_size=batch_size, epochs=epochs, **kwargs)

    def phases(self):
        return [Phase("directions", (self.directions,), self.objective)]

    def prepare(self, x):
        return self.draw_latents(ops.shape(x)[0])

    def objective(self, batch, shared):
        contrast = partial(direction_contrast, temperature=self.temperature, absolute=self.absolute)
        loss = self.on_global_batch(contrast, self.changes(batch))()
        self.track("contrastive_loss", loss)
        self.trackers["contrastive_accuracy"].update_state(ops.cast(loss < 0, "float32"))
        return ops.mean(loss)

    def changes(self, batch):
        """The change of the activations at each z along each direction, (n, k, f)."""
        inputs, k = self.inputs(batch["z"], batch["labels"]), self.directions.num_directions
        here, z = self.layer.function(inputs, training=False)
        there, _ = self.layer.function(inputs, copies=k, training=False)
        # All z moved along the first direction, then all along the second, ...
        moved = z[None] + self.path_size * self.directions.matrix()[:, None]
        moved = _flat(there(ops.reshape(moved, (-1, self.latent_dim))))
        moved = ops.reshape(moved, (k, -1, moved.shape[-1]))
        return ops.transpose(moved - ops.stop_gradient(_flat(here(z)))[None], (1, 0, 2))

    def get_config(self):
        return {
            **super().get_config(),
            "outputs": self.outputs,
            "temperature": self.temperature,
            "absolute": self.absolute,
        }


def _flat(activations):
    """Activations of any structure, (n, f) float32."""
    parts = [ops.cast(x, "float32") for x in tree.flatten(activations)]
    return ops.concatenate([ops.reshape(x, (-1, math.prod(x.shape[1:]))) for x in parts], axis=-1)
