"""pro-VLAE: a ladder VAE whose rungs join one after another, the most abstract first."""

import keras
from keras import ops

from keras_disentangle._arguments import check_weight
from keras_disentangle._tensors import constant_beside
from keras_disentangle.layers import FadeIn
from keras_disentangle.models.ladder_vae import LadderVAE


@keras.saving.register_keras_serializable("keras_disentangle")
class ProgressiveLadderVAE(LadderVAE):
    r"""pro-VLAE. Rung l joins when its ramp `alpha_l` begins, and fades in as the ramp rises:

    $$z_l \sim q_l(\alpha_l h_l),\quad g_l = f^d_l([\alpha_l m_l(z_l); g_{l+1}]) \quad (9)$$
    $$-\log p(x|z) + \beta \sum_{joined} KL_l + \gamma \sum_{dormant} KL_l \quad (8, 10, 11)$$

    A dormant rung contributes nothing to the decoder ($\alpha_l = 0$), and its posterior, held near
    the prior by $\gamma$, reads $h_l$ unscaled. The most abstract rung is active from the start.
    Unless the callback `ProgressiveFadeIn` sets the ramps, all rungs are active: the model is then
    a `LadderVAE`. All stages share one compiled step, all weights and one optimizer state.

    Args:
        encoder_blocks, posteriors, latent_maps, decoder_blocks: as in `LadderVAE`.
        beta: weight of the joined rungs' KL, >= 0; the ramp `beta`.
        gamma: weight of the dormant rungs' KL, >= 0 (0.5 in the paper).
        observation, seed: as in `VAE`.

    Raises:
        ValueError: as `LadderVAE`, and if `gamma` is negative.

    Example:

    >>> from keras_disentangle.applications.provlae.networks import ladder_networks
    >>> model = ProgressiveLadderVAE(**ladder_networks((32, 32, 1), rung_sizes=(2, 3)))
    >>> sorted(model.ramps)
    ['alpha_1', 'beta']

    Reference: Li et al., 2020 (pro-VLAE).
    """

    def __init__(
        self,
        encoder_blocks,
        posteriors,
        latent_maps,
        decoder_blocks,
        beta=1.0,
        gamma=0.5,
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        gamma = check_weight("gamma", gamma)
        super().__init__(
            encoder_blocks,
            posteriors,
            latent_maps,
            decoder_blocks,
            beta=beta,
            observation=observation,
            seed=seed,
            **kwargs,
        )
        self.gamma = gamma
        self.fade_in = FadeIn(name="fade_in")
        for level in range(self.num_rungs - 1, 0, -1):
            self.add_ramp(f"alpha_{level}", 1.0)

    def enter_rung(self, level, h):
        if level == self.num_rungs:
            return h
        ramp = self.ramps[f"alpha_{level}"]
        alpha = ops.where(ramp.is_active(self.step), ramp(self.step), 1.0)
        return self.fade_in(h, alpha=constant_beside(h, alpha))

    def leave_rung(self, level, feature_map):
        if level == self.num_rungs:
            return feature_map
        alpha = self.ramps[f"alpha_{level}"](self.step)
        return self.fade_in(feature_map, alpha=constant_beside(feature_map, alpha))

    def kl_weights(self, beta):
        growing = [
            ops.where(self.ramps[f"alpha_{level}"].is_active(self.step), beta, self.gamma)
            for level in range(self.num_rungs - 1, 0, -1)
        ]
        return [beta, *growing]

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma}
