"""InfoGAN, or the GAN with a detached Q that the paper compares it with: settings and recipes.

    keras-disentangle train info_gan --recipe mnist --data-dir DATA

With `--precision mixed_bfloat16`, one CPU core and TensorFlow: 4,000 steps in about 25 minutes. The
card has the errors of its seeds.
"""

from dataclasses import dataclass, replace

import keras

from keras_disentangle._arguments import check_choice
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications.info_gan.networks import NETWORKS
from keras_disentangle.latents import Categorical, LatentSpace, Uniform
from keras_disentangle.layers import QHead, RandomAffine


@dataclass(frozen=True)
class Preset:
    """One experiment: its networks, its codes and how they are trained.

    Where the paper's text and appendix differ, the appendix holds: its sums agree. It does not say
    how the noise is distributed; it is uniform in [-1, 1], as in the published code.

    Args:
        networks: a name in `NETWORKS`.
        image_shape: (height, width, channels) of the images of these networks.
        noise: number of noise variables.
        categories: number of categories of each categorical code.
        continuous: number of continuous codes, uniform in [-1, 1]; they are the dimensions of one
            code of the latent space, "continuous".
        q_hidden: width of the hidden layer of the Q head; `None` for a Q head of one layer.
        posterior_std: standard deviation of the continuous codes' posterior; `None`: learned, as
            in the paper. The published code has 1.
        categorical_weight, continuous_weight: weight of the information bound, per code.
        generator_learning_rate: of Adam.
        discriminator_learning_rate: of Adam, for discriminator and Q head.
        beta_1: of both Adams.
        batch_size: images in a batch (128 in the published code).

    Example:

    >>> from keras_disentangle.applications.info_gan.recipes import PRESETS
    >>> preset = PRESETS["mnist"]
    >>> model = kd.models.InfoGAN(**preset.model_arguments())
    >>> model.compile(**preset.optimizers())

    Reference: Chen et al., 2016 (InfoGAN), appendix C.
    """

    networks: str
    image_shape: tuple
    noise: int
    categories: tuple = ()
    continuous: int = 0
    q_hidden: int | None = 128
    posterior_std: float | None = None
    categorical_weight: float = 1.0
    continuous_weight: float = 1.0
    generator_learning_rate: float = 1e-3
    discriminator_learning_rate: float = 2e-4
    beta_1: float = 0.5
    batch_size: int = 128

    def latent_space(self):
        """The noise, the categorical codes and the continuous ones, as a `LatentSpace`.

        Raises:
            ValueError: if a size is out of range.
        """
        codes = [Uniform(self.noise, informative=False, name="noise")]
        codes += [Categorical(size) for size in self.categories]
        if self.continuous:
            std = self.posterior_std
            codes.append(Uniform(self.continuous, posterior_std=std, name="continuous"))
        return LatentSpace(codes)

    def information_weight(self):
        """The weight of each informative code, as a dict of name to float."""
        return {
            code.name: self.categorical_weight
            if isinstance(code, Categorical)
            else self.continuous_weight
            for code in self.latent_space().informative
        }

    def model_arguments(self):
        """What `InfoGAN` takes: "generator", "discriminator", "q_head", "space" and
        "information_weight", with new, built networks.

        Raises:
            ValueError: if the networks are unknown, a size is out of range, or there is no code.
        """
        build = NETWORKS[check_choice("networks", self.networks, sorted(NETWORKS))]
        space = self.latent_space()
        q_head = QHead(space, hidden=self.q_hidden, name="q_head")
        networks = build(space.dim)
        q_head.build(networks["discriminator"].outputs[1].shape)
        return {
            **networks,
            "q_head": q_head,
            "space": space,
            "information_weight": self.information_weight(),
        }

    def optimizers(self):
        """What `compile` takes: "generator_optimizer" and "discriminator_optimizer"."""
        return {
            f"{player}_optimizer": keras.optimizers.Adam(rate, beta_1=self.beta_1)
            for player, rate in (
                ("generator", self.generator_learning_rate),
                ("discriminator", self.discriminator_learning_rate),
            )
        }


_FACES = Preset("faces", (32, 32, 1), 128, continuous=5, q_hidden=None)
_CHAIRS = Preset("chairs", (64, 64, 1), 128, (20,) * 3, continuous=1, q_hidden=None)

PRESETS = {
    # A deviation that is learned lets the bound of the continuous codes grow at the expense of the
    # categorical one's agreement with the digits; fixed, as in the published code, it cannot.
    "mnist": Preset("mnist", (28, 28, 1), 62, (10,), continuous=2, posterior_std=1.0),
    "svhn": Preset("svhn", (32, 32, 3), 124, (10,) * 4, continuous=4),
    "celeb_a": Preset("celeb_a", (32, 32, 3), 128, (10,) * 10),
    # Table 5. What the lighting preset learns includes wide or narrow faces.
    "faces_azimuth": replace(
        _FACES,
        discriminator_learning_rate=2e-4,
        generator_learning_rate=5e-4,
        continuous_weight=0.2,
    ),
    "faces_elevation": replace(
        _FACES,
        discriminator_learning_rate=4e-4,
        generator_learning_rate=3e-4,
        continuous_weight=0.1,
    ),
    "faces_lighting": replace(
        _FACES,
        discriminator_learning_rate=8e-4,
        generator_learning_rate=3e-4,
        continuous_weight=0.1,
    ),
    # Table 7.
    "chairs_rotation": replace(_CHAIRS, continuous_weight=10.0, categorical_weight=1.0),
    "chairs_width": replace(_CHAIRS, continuous_weight=0.05, categorical_weight=2.0),
}


# Of a digit that stays the same digit: degrees, and shares of the image.
_RANGES = {"rotation": 15.0, "shear": 0.4, "zoom": 0.1, "translation": 0.07}


@dataclass(frozen=True)
class Recipe:
    """One training: a preset, its data, and how long.

    The weight of the categorical codes goes from `first_weight` to `last_weight` within
    `ramp_steps` training steps; without them it is the preset's.
    """

    preset: str = setting(help="networks, codes and optimizers: a name in PRESETS")
    data: str | None = setting(help="a data set's name, or a folder, zip or .npz of images")
    steps: int = setting(help="training steps")
    steps_per_epoch: int = setting(100, help="training steps of an epoch")
    first_weight: float | None = setting(
        None, help="weight of the categorical codes' bound at the start"
    )
    last_weight: float | None = setting(
        None, help="weight of the categorical codes' bound after the ramp"
    )
    ramp_steps: int = setting(0, help="training steps from the first weight to the last")
    augmentation: float = setting(
        0.0,
        help="strength of the random rotations, shears, zooms and shifts of what Q reads the "
        "categories off: 1 for those of MNIST's recipe, 0 for none",
    )
    classes_every: int = setting(5, help="epochs after which the categories are scored as classes")
    precision: str = setting("float32", help="float32 or mixed_bfloat16")

    def q_augmentation(self):
        """The `q_augmentation` of `InfoGAN`, or `None`."""
        if not self.augmentation:
            return None
        return RandomAffine(
            **{name: self.augmentation * largest for name, largest in _RANGES.items()}
        )


RECIPES = {
    "mnist": Recipe("mnist", "mnist", 4000, augmentation=1.0),
    # Without the augmentation and with the paper's weight of 1, the categories hold on to the first
    # partition that comes along, often pairs of digits divided by their slant; with a small one
    # they can still change. The bundled weights were trained so.
    "mnist_unaugmented": Recipe(
        "mnist", "mnist", 5000, first_weight=0.05, last_weight=0.1, ramp_steps=2000
    ),
    "svhn": Recipe("svhn", "svhn", 50_000),
    "celeb_a": Recipe("celeb_a", "celeb_a", 50_000),
    **{
        name: Recipe(name, None, 30_000) for name in PRESETS if name.startswith(("faces", "chairs"))
    },
}
