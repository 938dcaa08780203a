"""pro-VLAE and the baselines with the same latents and steps: settings and recipes.

    keras-disentangle train provlae --recipe demo --log-dir runs/demo

On two CPU cores with TensorFlow: 13,500 steps in 8 minutes; MIG 0.37, MIG-sup 0.41, FactorVAE 0.73
on dSprites at 32×32. The card has all the figures.
"""

from dataclasses import dataclass

from keras_disentangle.applications._shared.recipe import setting


@dataclass(frozen=True)
class Recipe:
    """One training run: the data, the ladder, and the length of its stages.

    A model whose rungs are trained jointly gets as many steps as all stages together.
    """

    data: str = setting(help="a data set's name, or a folder, zip or .npz of images")
    image_shape: tuple[int, ...] = setting(help="height, width and channels; by default the data's")
    rung_sizes: tuple[int, ...] = setting(help="latents of each rung, the most abstract first")
    batch_size: int = setting(help="images in a batch")
    steps_per_stage: int = setting(help="training steps of each stage")
    beta: float = setting(1.0, help="weight of the KL terms")
    beta_start: float | None = setting(None, help="weight of the KL terms at the start")
    beta_steps: int = setting(0, help="training steps from --beta-start to --beta")
    gamma: float = setting(0.5, help="weight of the dormant rungs' KL terms")
    fade_steps: int = setting(5000, help="training steps of a fade-in; 0 switches it off")
    learning_rate: float = setting(5e-4, help="of Adam")
    networks: str = setting("small", help="small or celeba")
    epochs_per_stage: int = setting(10, help="epochs of each stage")


RECIPES = {
    # Minutes on two CPU cores. A strong beta lines the codes of the top rung up with the position
    # within few steps; at 1 the lower rungs find room for scale and orientation.
    "demo": Recipe(
        "dsprites",
        (32, 32, 1),
        (2, 1, 1),
        100,
        4500,
        beta=1.0,
        beta_start=4.0,
        beta_steps=6500,
        fade_steps=1000,
        learning_rate=1e-3,
    ),
    # The settings of the paper and the authors' scripts; an epoch of dSprites is 5,760 steps.
    "dsprites": Recipe("dsprites", (64, 64, 1), (2, 2, 2), 128, 30 * 5760, epochs_per_stage=30),
    "shapes3d": Recipe(
        "shapes3d", (64, 64, 3), (3, 3, 3), 100, 15 * 4800, 8.0, fade_steps=0, epochs_per_stage=15
    ),
    # The same in about half an hour: a quarter of the pixels, so a quarter of beta. It comes from
    # above, since a strong beta began to part scale and shape.
    "shapes3d_small": Recipe(
        "shapes3d",
        (32, 32, 3),
        (3, 3, 3),
        100,
        10_000,
        beta=2.0,
        beta_start=12.0,
        beta_steps=27_000,
        fade_steps=1000,
        learning_rate=1e-3,
        epochs_per_stage=20,
    ),
    "celeb_a": Recipe(
        "celeb_a",
        (64, 64, 3),
        (7, 7, 7, 7),
        128,
        5 * 1271,
        gamma=0.1,
        networks="celeba",
        epochs_per_stage=5,
    ),
    # Not given in the paper. Beta 0.2 at 28×28 weighs a pixel against the KL as 1 does at 64×64.
    "mnist": Recipe("mnist", (28, 28, 1), (3, 3, 3), 100, 10 * 600, beta=0.2, fade_steps=3000),
}
