"""InfoGAN, ready-made."""

from pathlib import Path

from keras import ops

from keras_disentangle import models
from keras_disentangle._arguments import is_choice
from keras_disentangle._initial_values import no_random_values
from keras_disentangle.applications._weights import load_weights, trained_settings
from keras_disentangle.applications.info_gan.presets import PRESETS

FOLDER = Path(__file__).parent


def InfoGAN(weights=None, preset=None, information_weight=None, feedback=None, seed=None):
    """A `kd.models.InfoGAN` with the networks and codes of one of the paper's experiments.

    Args:
        weights: `None` (random), a name from `available_weights()["InfoGAN"]`, which brings its
            preset along, or the path of a `.weights.h5` or `.keras` file.
        preset: a name in `kd.applications.info_gan.presets.PRESETS`: `"mnist"` (the default),
            `"svhn"`, `"celeb_a"`, `"faces_azimuth"`, `"faces_elevation"`, `"faces_lighting"`,
            `"chairs_rotation"` or `"chairs_width"`.
        information_weight: lambda, a number or a dict from code to number; by default that of the
            weights' training, or the preset's.
        feedback: whether the generator is trained on the information bound; `False` is the
            baseline of the paper's Figure 1. By default as the weights were trained, as far as they
            say it (a `.weights.h5` file does not), or `True`.
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
    settings = trained_settings(FOLDER, weights, ("information_weight", "feedback"))
    if not is_choice(preset, (None, *PRESETS)):
        raise ValueError(f"`preset` must be one of {sorted(PRESETS)}. Received: preset={preset!r}")
    if preset not in (None, settings.get("preset", preset)):
        raise ValueError(
            f"`preset` must be {settings['preset']!r} for the weights {weights!r}. "
            f"Received: preset={preset!r}"
        )
    name = preset or settings.get("preset", "mnist")
    given = {"information_weight": information_weight, "feedback": feedback}
    settings = {key: settings[key] for key in given if key in settings}
    settings.update((key, value) for key, value in given.items() if value is not None)
    with no_random_values(weights is not None):
        arguments = {**PRESETS[name].model_arguments(), **settings}
        model = models.InfoGAN(**arguments, seed=seed, name="info_gan")
    if weights is not None:
        noise = ops.convert_to_numpy(model.seed_generator.state)
        load_weights(model, FOLDER, weights)
        # The file also holds the state of a training; what was asked for goes before it.
        if information_weight is not None:
            for code, value in model.information_weight.items():
                model.ramps[f"information_weight_{code}"].set(value, value, 0, 0)
        if seed is not None:
            model.seed_generator.state.assign(noise)
    return model
