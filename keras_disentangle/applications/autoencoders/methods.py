"""The methods: how each is made of the same networks, what its strength is, how it is optimised."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import keras

import keras_disentangle as kd
from keras_disentangle.applications.autoencoders.networks import (
    discriminator,
    hidden_layers,
    ladder,
    networks,
)


def _adam(model, rate, strength):
    return {"optimizer": keras.optimizers.Adam(rate)}


@dataclass(frozen=True)
class Method:
    """A method of the comparison.

    Attributes:
        make: function of `Making` to an uncompiled model.
        strength: that of a publication at 64×64 pixels.
        meaning: what the strength is.
        optimizers: function (model, learning rate, strength) to the arguments of `compile`.
        callbacks: function (strength, steps) to callbacks of a training of so many steps.
        of_pairs: whether it is trained on pairs of images.
    """

    make: Callable
    strength: float
    meaning: str
    optimizers: Callable = _adam
    callbacks: Callable = lambda strength, steps: []
    of_pairs: bool = False


@dataclass(frozen=True)
class Making:
    """What a model is made of; its name is that of the method, by which files are recognised."""

    method: str
    image_shape: tuple
    latent_dim: int
    networks: str
    strength: float
    seed: int | None

    def flat(self, outputs=2):
        """The encoder and the decoder, the seed and the name, as arguments of a model."""
        found = networks(self.networks, self.image_shape, self.latent_dim, outputs)
        return {**found, "seed": self.seed, "name": self.method}


def _ae(making):
    # Without KL terms nothing keeps a posterior wide: its variance vanishes while it trains.
    return kd.models.VAE(**making.flat(), beta=0.0)


def _beta_vae(making):
    return kd.models.VAE(**making.flat(), beta=making.strength)


def _annealed_vae(making):
    # The large study's, and that of a common implementation, whose rate is the small recipe's.
    gamma = {"small": 100.0, "locatello": 1000.0}[making.networks]
    return kd.models.AnnealedVAE(**making.flat(), gamma=gamma, capacity=making.strength)


def _rising_capacity(strength, steps):
    # Over a third of the training, as in the large study.
    return [kd.callbacks.RampWeight("capacity", strength, steps // 3, start=0.0)]


def _beta_tc_vae(making):
    return kd.models.BetaTCVAE(**making.flat(), beta=making.strength)


def _dip_vae_i(making):
    return kd.models.DIPVAE(**making.flat(), weight=making.strength, kind="i")


def _dip_vae_ii(making):
    return kd.models.DIPVAE(**making.flat(), weight=making.strength, kind="ii")


def _factor_vae(making):
    critic = discriminator(making.networks, making.latent_dim)
    return kd.models.FactorVAE(**making.flat(), discriminator=critic, gamma=making.strength)


def _two_optimizers(model, rate, strength):
    # The betas are those of the paper.
    critic = keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9)
    return {"vae_optimizer": keras.optimizers.Adam(rate), "discriminator_optimizer": critic}


def _provlae(making):
    rungs = ladder(making.networks, making.image_shape, making.latent_dim)
    return kd.models.ProgressiveLadderVAE(
        **rungs, beta=making.strength, seed=making.seed, name=making.method
    )


def _fade_in(strength, steps):
    stage = max(1, steps // 3)
    return [kd.callbacks.ProgressiveFadeIn(steps_per_stage=stage, fade_steps=stage // 4)]


def _ada_gvae(making):
    return kd.models.AdaGVAE(**making.flat(), beta=making.strength)


def _qlae(making):
    return kd.models.QLAE(**making.flat(outputs=1))


def _clipped(model, rate, strength):
    return _decayed(model, rate, 0.0)


def _decayed(model, rate, strength):
    # The paper limits each number of the gradient of a loss divided by the numbers of an image.
    limit = float(prod(model.image_shape))
    return {"optimizer": keras.optimizers.AdamW(rate, weight_decay=strength, clipvalue=limit)}


def _tripod(making):
    # The paper's weights have this ratio on Shapes3D.
    weights = {
        "hessian_weight": making.strength,
        "multi_information_weight": making.strength / 100,
    }
    outputs = hidden_layers(making.networks)
    return kd.models.Tripod(**making.flat(outputs=1), outputs=outputs, **weights)


METHODS = {
    "beta_vae": Method(_beta_vae, 4.0, "weight of the KL term"),
    "ae": Method(_ae, 0.0, "none: it is 0"),
    "annealed_vae": Method(
        _annealed_vae, 25.0, "capacity at the end, in nats", callbacks=_rising_capacity
    ),
    "beta_tc_vae": Method(_beta_tc_vae, 6.0, "weight of the total correlation"),
    "dip_vae_i": Method(_dip_vae_i, 10.0, "weight of the covariances"),
    "dip_vae_ii": Method(_dip_vae_ii, 10.0, "weight of the covariances"),
    "factor_vae": Method(
        _factor_vae, 10.0, "gamma, the weight of the total correlation", _two_optimizers
    ),
    "ada_gvae": Method(_ada_gvae, 4.0, "weight of the KL term", of_pairs=True),
    "qlae": Method(_qlae, 0.1, "weight decay", _decayed),
    "tripod": Method(
        _tripod, 0.01, "weight of the normalised Hessian Penalty, in the paper's unit", _clipped
    ),
    "provlae": Method(_provlae, 1.0, "weight of the KL terms", callbacks=_fade_in),
}
