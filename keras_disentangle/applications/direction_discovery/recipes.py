"""Directions in the latent spaces of trained generators: for which ones, and how.

    keras-disentangle train direction_discovery --recipe clevr_1fov --log-dir runs/directions

On one CPU core with TensorFlow the recipes of CLEVR-1FOV take two to six minutes: D% 0.87 and D_R
3.4 on the GAN without a Hessian penalty, where the axes have 0.71 and 1.5. The card has all the
figures.
"""

from dataclasses import dataclass

from keras_disentangle.applications._shared.recipe import setting


@dataclass(frozen=True)
class Recipe:
    """A trained generator, and how directions are learnt in its latent space."""

    generator: str = setting(help="the generator's application: BigGAN, InfoGAN, ProgressiveGAN")
    generator_weights: str | None = setting(
        None, help="weights of the generator, bundled ones or a file; BigGAN's must be given"
    )
    block: tuple[int, ...] | None = setting(
        None, help="first and last + 1 of the latents that directions move; all by default"
    )
    labels: int | None = setting(None, help="the class for which directions are learnt")
    path_size: float = setting(5.0, help="how far steps go, in units of the latent space")
    steps: int = setting(4_000, help="training steps")
    steps_per_epoch: int = setting(400, help="training steps of an epoch")
    batch_size: int = setting(16, help="latents of a step")
    learning_rate: float = setting(0.01, help="of Adam, with the Hessian penalty")
    one_cube: bool = setting(False, help="whether the generator's images are those of CLEVR-1FOV")


_PAPER = {"steps": 50_000, "steps_per_epoch": 1_000, "batch_size": 96}

RECIPES = {
    "clevr_1fov": Recipe("ProgressiveGAN", "clevr_1fov", one_cube=True),
    "clevr_1fov_finetuned": Recipe("ProgressiveGAN", "clevr_1fov_finetuned", one_cube=True),
    # The noise alone, which is uniform in [-1, 1]: the codes mean something already.
    "mnist": Recipe(
        "InfoGAN", "mnist", (0, 62), path_size=1.0, steps=10_000, steps_per_epoch=500, batch_size=32
    ),
    "biggan_golden_retrievers": Recipe("BigGAN", labels=207, **_PAPER),
    "biggan_churches": Recipe("BigGAN", labels=497, **_PAPER),
}
