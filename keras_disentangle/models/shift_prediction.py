"""Directions in a frozen generator's latent space that can be identified from images."""

import keras
from keras import ops

from keras_disentangle._arguments import check_weight
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._keras_graph import set_direction
from keras_disentangle.models._networks import network_shapes, serialize
from keras_disentangle.models.frozen_generator_model import FrozenGeneratorModel
from keras_disentangle.trainers import Phase


@keras.saving.register_keras_serializable("keras_disentangle")
class ShiftPrediction(FrozenGeneratorModel):
    r"""Learns orthonormal directions of a frozen generator with a network that recognises them.

    This is the baseline for the directions of the Hessian Penalty. A reconstructor sees $G(z)$ and
    $G(z + \eta q_i)$, and predicts the direction $i$ and the step $\eta$; it is trained jointly
    with the directions:

    $$\min_{Q, R} \mathbb{E}_{z, i, \eta} [-\log p_R(i) + \gamma |\eta - \hat\eta_R|]$$

    $\eta$ is uniform in [-s, s], with sizes below `min_step` raised to it. As in the authors'
    experiments, one Adam updates both, with the rate 1e-4 unless `compile` is given another
    optimizer.

    Args:
        generator, directions, space, labels, num_classes, argument, image_range, seed: as in
            `kd.models.DirectionDiscovery`.
        reconstructor: network from two images concatenated along their channels (batch, h, w, 2c)
            to [logits (batch, N), step (batch, 1)], for N directions.
        path_size: s, in units of the latent space.
        min_step: the smallest size of a step, in [0, s].
        step_weight: gamma, the weight of the step's absolute error, >= 0.

    Raises:
        ValueError: as `kd.models.DirectionDiscovery`; if the reconstructor's inputs or outputs do
            not have these shapes.

    Example:

    >>> pair = keras.Input((28, 28, 2))
    >>> features = layers.Dense(64, "relu")(layers.Flatten()(pair))
    >>> reconstructor = keras.Model(pair, [layers.Dense(4)(features), layers.Dense(1)(features)])
    >>> generator.trainable = False
    >>> model = ShiftPrediction(generator, reconstructor)
    >>> model.compile()
    >>> model.fit(steps=1000, epochs=50, batch_size=32)

    Reference: Voynov and Babenko, 2020 (Unsupervised discovery of interpretable directions in the
    GAN latent space), eq. 1.
    """

    learning_rate = 1e-4

    def __init__(
        self,
        generator,
        reconstructor,
        directions=None,
        space=None,
        labels=None,
        num_classes=None,
        argument=0,
        path_size=6.0,
        min_step=0.5,
        step_weight=0.25,
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
            path_size,
            image_range,
            seed,
            **kwargs,
        )
        self.min_step = check_weight("min_step", min_step)
        if self.min_step > self.path_size:
            raise ValueError(
                f"`min_step` must be at most `path_size`, {path_size}. "
                f"Received: min_step={min_step}"
            )
        self.step_weight = check_weight("step_weight", step_weight)
        self._check(reconstructor)
        check_channels_last("`ShiftPrediction`", generator, reconstructor)
        self.reconstructor = reconstructor
        self.add_terms("direction_loss", "step_loss")
        self.trackers["direction_accuracy"] = keras.metrics.Mean("direction_accuracy")
        set_direction(self.trackers["direction_accuracy"], "up")

    def phases(self):
        return [Phase("directions", (self.directions, self.reconstructor), self.objective)]

    def objective(self, batch, shared):
        moved = batch["z"] + self.directions(self.steps_along(batch))
        images = [self._generate(z, batch["labels"]) for z in (batch["z"], moved)]
        logits, step = self.reconstructor(ops.concatenate(images, axis=-1), training=True)
        logits, step = ops.cast(logits, "float32"), ops.cast(step, "float32")
        which = keras.losses.sparse_categorical_crossentropy(
            batch["index"], logits, from_logits=True
        )
        how_far = ops.abs(step - batch["step"])
        self.track("direction_loss", which)
        self.track("step_loss", how_far)
        right = ops.cast(ops.argmax(logits, axis=-1), "int32") == batch["index"]
        self.trackers["direction_accuracy"].update_state(ops.cast(right, "float32"))
        return ops.mean(which) + self.step_weight * ops.mean(how_far)

    def _check(self, reconstructor):
        given, made = network_shapes("reconstructor", reconstructor, several=True)
        expected = [(self.directions.num_directions,), (1,)]
        if made != expected:
            raise ValueError(
                "`reconstructor` must have the outputs [logits, step], of the shapes "
                f"{expected} without the batch axis. Received: {made}"
            )
        images = getattr(self.generator, "output_shape", None)
        if not isinstance(images, tuple):
            return
        pair = (*images[1:-1], 2 * images[-1])
        if len(given) != len(pair) or any(
            None not in sizes and sizes[0] != sizes[1] for sizes in zip(given, pair, strict=True)
        ):
            raise ValueError(
                "`reconstructor` must take two images of `generator` concatenated along their "
                f"channels, {pair}. Received: an input of the shape {given}"
            )

    def _generate(self, z, labels):
        return ops.cast(self.call(self.inputs(z, labels)), "float32")

    def _draw_step(self, n):
        step = super()._draw_step(n)
        sense = ops.where(step < 0, -1.0, 1.0)
        return sense * ops.maximum(ops.abs(step), self.min_step)

    def get_config(self):
        return {
            **super().get_config(),
            "reconstructor": serialize(self.reconstructor),
            "min_step": self.min_step,
            "step_weight": self.step_weight,
        }
