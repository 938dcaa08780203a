"""The methods on equal terms: recipes, and the weights of each method that are compared.

    keras-disentangle compare autoencoders --sweep --seed 0 1 2 --jobs 2 --out runs/study

The card has what this gives, and how long it takes.
"""

from dataclasses import dataclass, replace

from keras_disentangle.applications._shared.recipe import setting


@dataclass(frozen=True)
class Recipe:
    """One training run: the data, the size of the networks, and its length."""

    data: str = setting(help="a data set's name, or a folder, zip or .npz of images")
    image_shape: tuple[int, ...] = setting(help="height, width and channels; by default the data's")
    steps: int = setting(help="training steps; of pairs of images, each has half a batch of them")
    learning_rate: float = setting(help="of Adam; of two optimizers that of both")
    networks: str = setting(help="small or locatello")
    strength: float | None = setting(
        None, help="the method's own weight (beta, gamma, ...); by default a published one"
    )
    latent_dim: int = setting(10, help="number of latents")
    batch_size: int = setting(64, help="images in a batch")
    steps_per_epoch: int = setting(500, help="training steps in an epoch")


_QUICK = Recipe("shapes3d", (32, 32, 3), 5000, 1e-3, "small")
_LONG = Recipe("shapes3d", (64, 64, 3), 300_000, 1e-4, "locatello", steps_per_epoch=5000)

RECIPES = {
    # Two minutes a training on one CPU core.
    "small": _QUICK,
    "small_dsprites": replace(_QUICK, data="dsprites", image_shape=(32, 32, 1)),
    # The common protocol of the field, by whose settings most methods are compared.
    "locatello": _LONG,
    "locatello_dsprites": replace(_LONG, data="dsprites", image_shape=(64, 64, 1)),
}

# Strengths that the publications took at 64×64. At 32×32 a quarter of the pixels stands against the
# same terms: 4 weighs as much as 16 there. dSprites, black and white, has fewer nats to weigh.
_SMALL = {
    "beta_vae": (2.0, 4.0, 8.0),
    "annealed_vae": (10.0, 25.0),
    "beta_tc_vae": (4.0, 8.0),
    "dip_vae_i": (5.0, 20.0),
    "dip_vae_ii": (5.0, 20.0),
    "factor_vae": (10.0, 30.0),
    "provlae": (4.0, 8.0),
    "qlae": (0.1, 0.5),
    "tripod": (0.001, 0.01),
    "ada_gvae": (2.0, 4.0, 8.0),
}
_SMALL_DSPRITES = {
    **_SMALL,
    "beta_vae": (2.0, 4.0),
    "beta_tc_vae": (2.0, 4.0),
    "factor_vae": (5.0, 10.0),
    "provlae": (2.0, 4.0),
    "tripod": (0.0001, 0.001),
    "ada_gvae": (2.0, 4.0),
}
# Those of the large study, where it has the method.
_LARGE = {
    "beta_vae": (1.0, 2.0, 4.0, 6.0, 8.0, 16.0),
    "annealed_vae": (5.0, 10.0, 25.0, 50.0, 75.0, 100.0),
    "beta_tc_vae": (1.0, 2.0, 4.0, 6.0, 8.0, 10.0),
    "dip_vae_i": (1.0, 2.0, 5.0, 10.0, 20.0, 50.0),
    "dip_vae_ii": (1.0, 2.0, 5.0, 10.0, 20.0, 50.0),
    "factor_vae": (10.0, 20.0, 30.0, 40.0, 50.0, 100.0),
    "provlae": (1.0, 4.0, 8.0),
    "qlae": (0.001, 0.01, 0.1),
    "tripod": (0.0001, 0.001, 0.01),
    "ada_gvae": (1.0, 2.0, 4.0, 6.0, 8.0, 16.0),
}


def _sweep(values):
    return {method: {"strength": strengths} for method, strengths in values.items()}


SWEEPS = {
    "small": _sweep(_SMALL),
    "small_dsprites": _sweep(_SMALL_DSPRITES),
    "locatello": _sweep(_LARGE),
    "locatello_dsprites": _sweep(_LARGE),
}
