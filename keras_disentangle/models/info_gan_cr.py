"""InfoGAN-CR: an InfoGAN whose codes must be told apart by the changes that they make."""

import keras
from keras import ops

from keras_disentangle._arguments import check_weight
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._keras_graph import set_direction
from keras_disentangle.latents import Categorical, Quantized, Uniform
from keras_disentangle.models._networks import (
    check_apart,
    check_shape,
    network_shapes,
    output_activation,
    serialize,
)
from keras_disentangle.models.info_gan import InfoGAN
from keras_disentangle.trainers import Phase


@keras.saving.register_keras_serializable("keras_disentangle")
class InfoGANCR(InfoGAN):
    r"""InfoGAN with a contrastive regulariser: which of its factors do two images share?

    A factor is a dimension of an informative continuous code, or an informative categorical code.
    Of a pair of generated images, one factor drawn at random is the same, and so is all noise; the
    other factors differ. The contrastive discriminator H sees the two images side by side in their
    channels and predicts the factor i that they share; generator and H both minimise

    $$\alpha\, \mathbb{E}[-\log p_H(i | G(z), G(z'))]$$

    beside the objective of an InfoGAN. H has a phase and an optimizer of its own, `contrastive`,
    which come first in a step; there, its loss has no weight. Logged are `contrastive_loss` in nats
    (log k, for k factors, if H only guesses), `contrastive_accuracy`, and the ramps.

    Departures from the release: it makes two generator updates in a step, draws H anew when
    $\alpha$ is raised from 0, and has uniform codes only.

    Args:
        generator, discriminator, q_head, space: as in `InfoGAN`; the space needs two factors.
        contrastive_discriminator: H, network from two images concatenated along their channels
            (batch, h, w, 2c), in the generator's range, to logits (batch, k). The order of the
            factors is that of the codes in the space.
        contrastive_weight: $\alpha$, >= 0: the ramp `contrastive_weight`. The release raises it to
            1 to 3 late in training.
        gap: smallest difference of uniform codes that differ, >= 0 and at most their width: the
            ramp `gap`. The release lowers it to 0 in steps, or leaves it at 0. Other continuous
            codes are drawn independently, and categorical and quantised codes always differ.
        **kwargs: as in `InfoGAN`.

    Raises:
        ValueError: if H does not fit the images or the number of factors, `gap` is larger than the
            width of a uniform code, or another argument is out of range.

    Example:

    >>> space = kd.latents.LatentSpace([kd.latents.Normal(2), kd.latents.Uniform(2)])
    >>> pair = keras.Input((28, 28, 2))
    >>> which = keras.Model(pair, layers.Dense(2)(layers.Flatten()(pair)))
    >>> model = InfoGANCR(generator, discriminator, kd.layers.QHead(space), space, which)
    >>> model.compile(generator_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
    ...               discriminator_optimizer=keras.optimizers.Adam(2e-3, beta_1=0.5),
    ...               contrastive_optimizer=keras.optimizers.Adam(2e-3, beta_1=0.5))

    Reference: Lin et al., 2020 (InfoGAN-CR and ModelCentrality).
    """

    def __init__(
        self,
        generator,
        discriminator,
        q_head,
        space,
        contrastive_discriminator,
        contrastive_weight=1.0,
        gap=0.0,
        **kwargs,
    ):
        super().__init__(generator, discriminator, q_head, space, **kwargs)
        self.built = False
        self.num_factors = sum(code.num_traversals for code in self.space.informative)
        if self.num_factors < 2:
            raise ValueError(
                "`space` must have at least two factors: informative continuous dimensions or "
                f"categorical codes. Received: space={space}"
            )
        pair, logits = network_shapes("contrastive_discriminator", contrastive_discriminator)
        *sides, channels = self.image_shape
        check_shape("The input of `contrastive_discriminator`", (*sides, 2 * channels), pair)
        check_shape("The output of `contrastive_discriminator`", (self.num_factors,), logits)
        activation = output_activation(contrastive_discriminator)
        if activation not in (None, "linear"):
            raise ValueError(
                "`contrastive_discriminator` must give logits, so it must not end in an "
                f"activation. Received: a network that ends in {activation}"
            )
        check_channels_last("`InfoGANCR`", generator, contrastive_discriminator)
        check_apart(
            generator=generator,
            discriminator=discriminator,
            q_head=q_head,
            contrastive_discriminator=contrastive_discriminator,
        )
        self.contrastive_discriminator = contrastive_discriminator
        self.contrastive_weight = check_weight("contrastive_weight", contrastive_weight)
        self.gap = self._checked_gap(gap)
        self.add_terms("contrastive_loss")
        self.trackers["contrastive_accuracy"] = keras.metrics.Mean("contrastive_accuracy")
        set_direction(self.trackers["contrastive_accuracy"], "up")
        self.add_ramp("contrastive_weight", self.contrastive_weight)
        self.add_ramp("gap", self.gap)
        self.built = True

    def phases(self):
        networks = (self.contrastive_discriminator,)
        return [Phase("contrastive", networks, self.contrastive_objective), *super().phases()]

    def prepare(self, x):
        parts = super().prepare(x)
        parts[-1]["pair"] = self.draw(self._draw_pair, ops.shape(parts[-1]["codes"])[0])
        return parts

    def share(self, batch):
        """The images of `GAN.share`, and those of the pairs, side by side in their channels."""
        pair, given = batch[-1]["pair"], batch[-1]["given"]
        codes = ops.concatenate([pair["first"], pair["second"]])
        given = {name: ops.concatenate([labels, labels]) for name, labels in given.items()}
        images = ops.split(self.generate(codes, **given), 2)
        return super().share(batch), ops.concatenate(images, axis=-1)

    def discriminator_objective(self, index, batch, shared):
        return super().discriminator_objective(index, batch, shared[0])

    def generator_objective(self, batch, shared):
        fake, pairs = shared
        loss = super().generator_objective(batch, fake)
        which, _ = self._contrast(batch, pairs)
        return loss + self.ramps["contrastive_weight"](self.step) * ops.mean(which)

    def contrastive_objective(self, batch, shared):
        """The loss of the contrastive discriminator."""
        which, logits = self._contrast(batch, shared[1])
        self.track("contrastive_loss", which)
        right = ops.cast(ops.argmax(logits, axis=-1), "int32") == batch[-1]["pair"]["index"]
        self.trackers["contrastive_accuracy"].update_state(ops.cast(right, "float32"))
        return ops.mean(which)

    def _contrast(self, batch, pairs):
        """The cross-entropy of each pair in nats, (batch,), and the logits."""
        logits = ops.cast(self.contrastive_discriminator(pairs, training=True), "float32")
        index = batch[-1]["pair"]["index"]
        which = keras.losses.sparse_categorical_crossentropy(index, logits, from_logits=True)
        return which, logits

    def finish(self, batch, shared):
        super().finish(batch, shared[0])

    # Pairs

    def _draw_pair(self, n):
        """Codes (n, dim), their partners, and the index (n,) of the factor that the two share."""
        seed = self.seed_generator
        index = keras.random.randint((n,), 0, self.num_factors, seed=seed)
        first, second = (self.space.split(self._draw_codes(n)) for _ in range(2))
        start = 0
        for code in self.space.codes:
            a, b = first[code.name], second[code.name]
            if not code.informative:
                second[code.name] = a
                continue
            # One entry for each dimension, or a single one for a categorical code.
            stop = start + code.num_traversals
            is_shared = index[:, None] == ops.arange(start, stop, dtype="int32")
            start = stop
            apart = self._apart(code, a, b)
            first[code.name], second[code.name] = (ops.where(is_shared, a, x) for x in apart)
        codes = {"first": first, "second": second}
        joined = {key: ops.concatenate(list(parts.values()), -1) for key, parts in codes.items()}
        return {**joined, "index": index}

    def _apart(self, code, a, b):
        """Two independent draws of a code as two draws that differ."""
        if isinstance(code, Categorical):
            seed, k = self.seed_generator, code.num_categories
            moved = keras.random.randint((ops.shape(a)[0],), 1, k, seed=seed)
            index = ops.mod(ops.cast(ops.argmax(a, axis=-1), "int32") + moved, k)
            return a, ops.one_hot(index, k, dtype=a.dtype)
        if isinstance(code, Quantized):
            moved = keras.random.randint(ops.shape(a), 1, code.num_values, seed=self.seed_generator)
            return a, code.shifted(a, moved)
        if isinstance(code, Uniform):
            width, centre = code.high - code.low, (code.low + code.high) / 2
            gap = ops.minimum(self.ramps["gap"](self.step), width)
            # Drawn from what is left of the interval, then moved away from each other.
            near = [centre + (x - centre) * (1 - gap / width) for x in (a, b)]
            half = ops.where(near[0] > near[1], gap / 2, -gap / 2)
            return near[0] + half, near[1] - half
        return a, b

    def _checked_gap(self, gap):
        gap = check_weight("gap", gap)
        widths = [
            code.high - code.low for code in self.space.informative if isinstance(code, Uniform)
        ]
        if gap > min(widths, default=0):
            raise ValueError(
                "`gap` must be at most the width of the uniform codes, and 0 without any, "
                f"{min(widths, default=0):g}. Received: gap={gap}"
            )
        return gap

    # Saving

    def get_config(self):
        return {
            **super().get_config(),
            "contrastive_discriminator": serialize(self.contrastive_discriminator),
            "contrastive_weight": self.contrastive_weight,
            "gap": self.gap,
        }
