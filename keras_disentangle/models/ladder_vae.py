"""The variational ladder auto-encoder: independent codes at several levels of abstraction."""

import keras
from keras import ops

from keras_disentangle._image_format import check_channels_last
from keras_disentangle.latents.labels import as_labels
from keras_disentangle.models._conditioning import call_network
from keras_disentangle.models._networks import (
    check_apart,
    check_shape,
    network_shapes,
    posterior,
    posterior_size,
    serialize,
)
from keras_disentangle.models.variational_model import VariationalModel


@keras.saving.register_keras_serializable("keras_disentangle")
class LadderVAE(VariationalModel):
    r"""VLAE: rung l reads the l-th level of the encoder and writes the l-th of the decoder.

    With $h_0 = x$ and l = 1 (next to the image) ... L (most abstract), all rungs trained jointly:

    $$h_l = f^e_l(h_{l-1}),\quad z_l \sim q_l(h_l),\quad
      g_L = f^d_L(m_L(z_L)),\quad g_l = f^d_l([m_l(z_l); g_{l+1}])$$

    and $g_1$ is the logits or means. Every list of networks is ordered from l = 1 to L; codes and
    metrics (`kl_L` ... `kl_1`) are ordered from L to 1.

    Args:
        encoder_blocks: $f^e_l$, level l - 1 to level l.
        posteriors: $q_l$, level l to mean and log variance: concatenated, (batch, 2 d_l), or as a
            list of two outputs (batch, d_l).
        latent_maps: $m_l$, codes (batch, d_l) to a feature map. With `labels`, these networks or
            the decoder blocks have a second input, the labels, and so may all others.
        decoder_blocks: $f^d_l$, from the map and the level above, concatenated on the last axis, to
            the level below; the first gives the logits or means of the image.
        beta, observation, seed: as in `VAE`.
        **kwargs: as in `VAE`, such as `labels`.

    Raises:
        ValueError: if the lists differ in length, networks do not fit each other, or another
            argument is out of range.

    Example:

    >>> from keras_disentangle.applications.provlae.networks import ladder_networks
    >>> model = LadderVAE(**ladder_networks((32, 32, 1), rung_sizes=(2, 3)), beta=4.0)
    >>> tuple(model.sample(5).shape), model.latent_dim
    ((5, 32, 32, 1), 5)

    Reference: Zhao et al., 2017; equations 4-7 of Li et al., 2020.
    """

    takes_labels = True

    def __init__(
        self,
        encoder_blocks,
        posteriors,
        latent_maps,
        decoder_blocks,
        beta=1.0,
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        networks = {
            "encoder_blocks": encoder_blocks,
            "posteriors": posteriors,
            "latent_maps": latent_maps,
            "decoder_blocks": decoder_blocks,
        }
        image_shape, sizes = _checked_ladder(networks, as_labels(kwargs.get("labels")))
        super().__init__(
            rung_sizes=sizes[::-1],
            rung_names=range(len(sizes), 0, -1),
            image_shape=image_shape,
            beta=beta,
            observation=observation,
            seed=seed,
            **kwargs,
        )
        self.check_takes_labels(latent_maps=latent_maps, decoder_blocks=decoder_blocks)
        self.encoder_blocks = list(encoder_blocks)
        self.posteriors = list(posteriors)
        self.latent_maps = list(latent_maps)
        self.decoder_blocks = list(decoder_blocks)
        self._check_logits("decoder_blocks[0]", self.decoder_blocks[0])
        check_apart(**networks)
        blocks = [block for listed in networks.values() for block in listed]
        check_channels_last("`LadderVAE`", *blocks)
        self.built = True

    @property
    def num_rungs(self):
        """L, the number of rungs."""
        return len(self.rung_sizes)

    def enter_rung(self, level, h):
        """The input of rung `level` (1 ... L) from its encoder level; a hook of growing models."""
        return h

    def leave_rung(self, level, feature_map):
        """The decoder's input from the feature map of rung `level`; a hook of growing models."""
        return feature_map

    def infer(self, x, training=False, labels=None):
        h, rungs = x, []
        for level, (block, q) in enumerate(
            zip(self.encoder_blocks, self.posteriors, strict=True), start=1
        ):
            h = call_network(block, h, labels, training=training)
            rungs.append(posterior(q, self.enter_rung(level, h), training, labels))
        return rungs[::-1]

    def generate(self, codes, training=False, labels=None):
        g = None
        for level, code in zip(range(self.num_rungs, 0, -1), codes, strict=True):
            latent_map, block = self.latent_maps[level - 1], self.decoder_blocks[level - 1]
            feature_map = call_network(latent_map, code, labels, training=training)
            feature_map = self.leave_rung(level, feature_map)
            g = feature_map if g is None else ops.concatenate([feature_map, g], axis=-1)
            g = call_network(block, g, labels, training=training)
        return g

    @property
    def generative_networks(self):
        return [*self.latent_maps, *self.decoder_blocks]

    @property
    def inference_networks(self):
        return [*self.encoder_blocks, *self.posteriors]

    def get_config(self):
        names = ("encoder_blocks", "posteriors", "latent_maps", "decoder_blocks")
        return {**super().get_config(), **{name: serialize(getattr(self, name)) for name in names}}


def _checked_ladder(networks, labels):
    """The image's shape and the rungs' sizes (l = 1 ... L) of networks that fit each other."""
    lengths = {name: len(blocks) for name, blocks in networks.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(
            f"Each list must hold one network for each rung, at least one. Received: {lengths}"
        )
    shapes = {
        name: [
            network_shapes(f"{name}[{i}]", block, name == "posteriors", labels)
            for i, block in enumerate(blocks)
        ]
        for name, blocks in networks.items()
    }
    image_shape = shapes["encoder_blocks"][0][0]
    level_shape, sizes = image_shape, []
    for i, (read, level) in enumerate(shapes["encoder_blocks"]):
        check_shape(f"The input of `encoder_blocks[{i}]`", level_shape, read)
        check_shape(f"The input of `posteriors[{i}]`", level, shapes["posteriors"][i][0])
        sizes.append(posterior_size(f"posteriors[{i}]", shapes["posteriors"][i][1]))
        check_shape(f"The input of `latent_maps[{i}]`", (sizes[i],), shapes["latent_maps"][i][0])
        level_shape = level
    above = None
    for i in reversed(range(len(sizes))):
        expected = shapes["latent_maps"][i][1]
        if above is not None:
            check_shape(f"The output of `latent_maps[{i}]`", above[:-1], expected[:-1])
            expected = (*expected[:-1], expected[-1] + above[-1])
        check_shape(f"The input of `decoder_blocks[{i}]`", expected, shapes["decoder_blocks"][i][0])
        above = shapes["decoder_blocks"][i][1]
    check_shape("The output of `decoder_blocks[0]`", image_shape, above)
    return image_shape, tuple(sizes)
