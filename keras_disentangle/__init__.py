"""Generative models in Keras 3 whose latent codes mean something.

>>> import keras_disentangle as kd
>>> data = kd.datasets.DSprites(image_size=32)
>>> model = kd.applications.ProVLAE(image_shape=data.image_shape)
"""

import typing

try:
    import keras as _keras  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        f"Keras needs its backend: {error}. Install it, or choose another one by the environment "
        "variable KERAS_BACKEND: tensorflow, which is Keras's default, jax or torch"
    ) from error

# What a saved model may consist of, so that Keras knows it.
from keras_disentangle import (
    _lazy,
    latents,
    layers,
    losses,
    models,
    observations,
    penalties,
    schedules,
    trainers,
)

if typing.TYPE_CHECKING:
    from keras_disentangle import (
        applications,
        callbacks,
        datasets,
        explorer,
        metrics,
        visualization,
    )
    from keras_disentangle.evaluation import encode_images, evaluate, rank_models
    from keras_disentangle.explorer.explore import explore

__version__ = "0.1.0"
__all__ = [
    "applications",
    "callbacks",
    "datasets",
    "encode_images",
    "evaluate",
    "explore",
    "explorer",
    "latents",
    "layers",
    "losses",
    "metrics",
    "models",
    "observations",
    "penalties",
    "rank_models",
    "schedules",
    "trainers",
    "visualization",
]

# All else is loaded when it is first used.
__getattr__, __dir__ = _lazy.attributes(
    __name__,
    {
        **dict.fromkeys(["applications", "callbacks", "datasets", "evaluation"]),
        **dict.fromkeys(["metrics", "visualization", "explorer"]),
        **dict.fromkeys(
            ["encode_images", "evaluate", "rank_models"], "keras_disentangle.evaluation"
        ),
        "explore": "keras_disentangle.explorer.explore",
    },
)
for _name, _module in {
    "BigGAN": "biggan.biggan",
    "BigGANDeep": "biggan.biggan",
    "LastAxisSlice": "biggan.networks",
    "LeadingConv2D": "biggan.networks",
    "ProgressiveDiscriminator": "progressive_gan.networks",
    "ProgressiveGenerator": "progressive_gan.networks",
}.items():
    _lazy.register(_name, f"keras_disentangle.applications.{_module}")
