"""FactorVAE: a VAE whose total correlation is estimated by a discriminator, and penalised."""

import keras
from keras import layers, ops

from keras_disentangle._arguments import check_weight
from keras_disentangle._keras_graph import set_direction
from keras_disentangle.losses import density_ratio_loss, log_density_ratio, permute_codes
from keras_disentangle.models._networks import (
    check_apart,
    check_shape,
    network_shapes,
    output_activation,
    serialize,
)
from keras_disentangle.models._phased_variational import PhasedVariational
from keras_disentangle.models.vae import VAE
from keras_disentangle.trainers import Phase


@keras.saving.register_keras_serializable("keras_disentangle")
class FactorVAE(PhasedVariational, VAE):
    r"""VAE with a penalty on the total correlation of its codes, by the density-ratio trick.

    $$-\log p(x|z) + \beta KL(q(z|x) \| p(z)) + \gamma\, TC(z), \quad
      TC(z) = KL(q(z) \| \textstyle\prod_j q(z_j)) \approx \mathbb{E}[D_0(z) - D_1(z)]$$

    D is trained to tell codes (its output 0) from codes of which each dimension is permuted over
    the batch (its output 1). A step updates encoder and decoder, then D, on the same codes, which
    are constants for D. Under several devices, codes are permuted over the global batch.

    Logged are `total_correlation`, the estimate in nats, which is negative where D is wrong about
    most codes; `discriminator_loss` in nats, log 2 where D tells nothing apart; and
    `discriminator_accuracy`.

    Departures from the publication: the permuted codes are those of the same batch, as in
    disentanglement_lib, not of a second one. By chance some dimensions then stay together, and even
    an ideal D estimates too little: of five Gaussian dimensions with a correlation of 0.5, 98.5% in
    batches of 256 and 94.3% in batches of 64. At a constant learning rate the estimate also keeps
    moving, by several percent.

    Args:
        encoder, decoder: as in `VAE`.
        discriminator: D, network from codes (batch, d) to two logits (batch, 2). By default that of
            the paper: six dense layers of 1000 units with leaky ReLU of slope 0.2.
        gamma: weight of the total correlation, >= 0: the ramp `gamma`. Published studies use 10 to
            100 with Bernoulli observations of 64×64 pixels.
        beta, observation, seed, **kwargs: as in `VAE`.

    Raises:
        ValueError: if the networks do not fit each other, or another argument is out of range; from
            `fit`, if the last batch of an epoch would be a single image, which cannot be permuted.

    Example:

    >>> model = FactorVAE(encoder, decoder, gamma=10.0)
    >>> model.compile(vae_optimizer=keras.optimizers.Adam(1e-4),
    ...               discriminator_optimizer=keras.optimizers.Adam(1e-4, beta_1=0.5, beta_2=0.9))
    >>> model.fit(images, batch_size=16)

    These are the optimizers of the paper.

    Reference: Kim & Mnih, 2018 (Disentangling by Factorising), equations 2 and 3, algorithm 2.
    """

    def __init__(
        self,
        encoder,
        decoder,
        discriminator=None,
        gamma=10.0,
        beta=1.0,
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        gamma = check_weight("gamma", gamma)
        super().__init__(encoder, decoder, beta=beta, observation=observation, seed=seed, **kwargs)
        if discriminator is None:
            discriminator = _published_discriminator(self.latent_dim)
        codes, logits = network_shapes("discriminator", discriminator)
        check_shape("The input of `discriminator`", (self.latent_dim,), codes)
        check_shape("The output of `discriminator`", (2,), logits)
        if output_activation(discriminator) not in (None, "linear"):
            raise ValueError(
                "`discriminator` must give logits, so it must not end in an activation. "
                f"Received: a network that ends in {output_activation(discriminator)}"
            )
        check_apart(encoder=encoder, decoder=decoder, discriminator=discriminator)
        self.discriminator = discriminator
        self.gamma = gamma
        self.add_ramp("gamma", gamma)
        self.add_terms("total_correlation", "discriminator_loss")
        self.trackers["discriminator_accuracy"] = keras.metrics.Mean("discriminator_accuracy")
        set_direction(self.trackers["discriminator_accuracy"], "up")

    def phases(self):
        discriminator = Phase("discriminator", (self.discriminator,), self.discriminator_objective)
        return [self.bound_phase(self.discriminator), discriminator]

    def prepare(self, x):
        batch = super().prepare(x)
        order = self.draw(self._draw_order, ops.shape(batch["images"])[0])
        return {**batch, "order": order}

    def further_terms(self, x, outputs, training):
        codes = outputs["code"]
        if not training:
            self._tell_apart(codes, self.draw(self._draw_order, ops.shape(x)[0]), training)
        logits = self.discriminator(codes, training=training)
        return {"total_correlation": (self.ramps["gamma"](self.step), log_density_ratio(logits))}

    def discriminator_objective(self, batch, outputs):
        """The discriminator's loss, with the outputs of `call` as constants."""
        return ops.mean(self._tell_apart(outputs["code"], batch["order"], training=True))

    def _tell_apart(self, codes, order, training):
        """The discriminator's loss for each code, (batch,); tracks it and the accuracy."""
        codes = ops.stop_gradient(ops.cast(codes, "float32"))
        permuted = self.on_global_batch(permute_codes, codes, order)()
        logits, others = (self.discriminator(x, training=training) for x in (codes, permuted))
        loss = density_ratio_loss(logits, others)
        self.track("discriminator_loss", loss)
        right = log_density_ratio(logits) > 0, log_density_ratio(others) < 0
        right = ops.cast(ops.concatenate(right), "float32")
        self.trackers["discriminator_accuracy"].update_state(right)
        return loss

    def _draw_order(self, n):
        return keras.random.uniform((n, self.latent_dim), seed=self.seed_generator)

    @property
    def _smallest_batch(self):
        return 2

    @property
    def _batch_message(self):
        return (
            "`batch_size` must leave at least 2 images to the last batch of an epoch too, because "
            "codes are permuted over the batch. Received: a batch of "
        )

    def get_config(self):
        discriminator = serialize(self.discriminator)
        return {**super().get_config(), "discriminator": discriminator, "gamma": self.gamma}


def _published_discriminator(latent_dim):
    hidden = (layers.Dense(1000, "leaky_relu") for _ in range(6))  # Its slope is 0.2.
    return keras.Sequential([keras.Input((latent_dim,)), *hidden, layers.Dense(2)])
