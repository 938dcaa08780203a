"""For which generators directions are learnt, and how."""

from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class Preset:
    """A trained generator, and how directions are learnt in its latent space.

    Args:
        application: the name of the generator's application.
        weights: its weights that ship; `None` where a file must be given.
        block: as in `kd.layers.LatentDirections`.
        labels: the class for which directions are learnt, or `None`.
        path_size: how far steps go, in units of the latent space.
        steps, steps_per_epoch, batch_size: length of the training.
        learning_rate: of Adam; with the Hessian Penalty alone.
    """

    application: str
    weights: str | None
    block: tuple | None = None
    labels: int | None = None
    path_size: float = 5.0
    steps: int = 4_000
    steps_per_epoch: int = 400
    batch_size: int = 16
    learning_rate: float = 0.01

    @property
    def shows_one_cube(self):
        """Whether the generator's images are those of CLEVR-1FOV."""
        return (self.weights or "").startswith("clevr_1fov")

    def optimizer(self):
        return keras.optimizers.Adam(self.learning_rate)


_PAPER = {"steps": 50_000, "steps_per_epoch": 1_000, "batch_size": 96}

PRESETS = {
    "clevr_1fov": Preset("ProgressiveGAN", "clevr_1fov"),
    "clevr_1fov_finetuned": Preset("ProgressiveGAN", "clevr_1fov_finetuned"),
    # The noise alone, which is uniform in [-1, 1]: the codes mean something already.
    "mnist": Preset(
        "InfoGAN", "mnist", (0, 62), path_size=1.0, steps=10_000, steps_per_epoch=500, batch_size=32
    ),
    "biggan_golden_retrievers": Preset("BigGAN", None, labels=207, **_PAPER),
    "biggan_churches": Preset("BigGAN", None, labels=497, **_PAPER),
}
