"""InfoGAN, ready-made."""

import keras

from keras_disentangle import models
from keras_disentangle._arguments import check_choice
from keras_disentangle.applications._shared.release import Release
from keras_disentangle.applications.info_gan.recipes import PRESETS

NAME = "info_gan"


def InfoGAN(
    weights=None,
    preset=None,
    information_weight=None,
    feedback=None,
    q_augmentation=None,
    seed=None,
):
    """A `kd.models.InfoGAN` with the networks and codes of one of the paper's experiments.

    Args:
        weights: `None` (random), a name from `available_weights()["InfoGAN"]`, which brings its
            preset along, or the path of a `.weights.h5` or `.keras` file.
        preset: a name in `kd.applications.info_gan.recipes.PRESETS`: `"mnist"` (the default),
            `"svhn"`, `"celeb_a"`, `"faces_azimuth"`, `"faces_elevation"`, `"faces_lighting"`,
            `"chairs_rotation"` or `"chairs_width"`.
        information_weight: lambda, a number or a dict from code to number; by default that of the
            weights' training, or the preset's.
        feedback: whether the generator is trained on the information bound; `False` is the
            baseline of the paper's Figure 1. By default as the weights were trained, as far as they
            say it (a `.weights.h5` file does not), or `True`.
        q_augmentation: as in `kd.models.InfoGAN`, `False` for none; by default as the weights were
            trained, or none.
        seed: integer seed of the codes, or `None`. For the initial weights, use
            `keras.utils.set_random_seed`.

    Returns:
        An uncompiled `InfoGAN`; `PRESETS[preset].optimizers()` is what the paper compiles it with.

    Raises:
        ValueError: if the preset or the weights are unknown, the weights damaged or of another
            preset, or a setting is out of range.

    Example:

    >>> model = kd.applications.InfoGAN(weights="mnist")
    >>> digits = model.classify(images / 255.0)  # categories; the card says which digit each one is

    Reference: Chen et al., 2016 (InfoGAN), appendix C.
    """
    release = Release(NAME, weights, ("information_weight", "feedback", "q_augmentation"))
    settings = release.arguments(
        {"preset": "mnist"},
        {"preset": preset},
        {
            "information_weight": information_weight,
            "feedback": feedback,
            "q_augmentation": q_augmentation,
        },
    )
    layer = settings.get("q_augmentation")
    if isinstance(layer, dict):  # as files have it
        layer = keras.saving.deserialize_keras_object(layer)
    settings["q_augmentation"] = None if layer is False else layer
    known = PRESETS[check_choice("preset", settings.pop("preset"), sorted(PRESETS))]
    with release.building():
        arguments = {**known.model_arguments(), **settings}
        model = models.InfoGAN(**arguments, seed=seed, name=NAME)
    ramps = {}
    if information_weight is not None:
        for code, value in model.information_weight.items():
            ramps[model.ramps[f"information_weight_{code}"]] = value
    release.load(model, seed=seed, ramps=ramps)
    return model
