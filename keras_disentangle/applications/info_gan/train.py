"""Trains InfoGAN, or the GAN with a detached Q that the paper compares it with.

    python scripts/train.py info_gan --recipe mnist --data-dir DATA

With `--precision mixed_bfloat16 --seed 1`, one CPU core and TensorFlow: 5,000 steps in about 17
minutes; L_I 2.27 of 2.30 nats after 2,000 steps, at the end 4.57% of the test digits in a wrong
category (10.2% with seed 0). The card in this folder has all the figures.
"""

import argparse
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import keras

import keras_disentangle as kd
from keras_disentangle.applications import _own_data, _runs
from keras_disentangle.applications.info_gan import _trained, traverse
from keras_disentangle.applications.info_gan.compare import information_curves
from keras_disentangle.applications.info_gan.info_gan import InfoGAN
from keras_disentangle.applications.info_gan.presets import PRESETS
from keras_disentangle.schedules import read
from keras_disentangle.visualization import save_png

MODELS = ("info_gan", "detached")


@dataclass(frozen=True)
class Recipe:
    """One training: a preset, its data, and how long.

    The weight of the categorical codes goes from `first_weight` to `last_weight` within
    `ramp_steps` training steps; without them it is the preset's.
    """

    preset: str
    data: str | None
    steps: int
    steps_per_epoch: int = 100
    first_weight: float | None = None
    last_weight: float | None = None
    ramp_steps: int = 0
    classes_every: int = 5
    precision: str = "float32"


RECIPES = {
    # With the paper's weight of 1 the categories hold on to the first partition that comes along;
    # with a small one they can still change to what the images fall into by themselves.
    "mnist": Recipe("mnist", "mnist", 5000, first_weight=0.05, last_weight=0.1, ramp_steps=2000),
    "svhn": Recipe("svhn", "svhn", 50_000),
    "celeb_a": Recipe("celeb_a", "celeb_a", 50_000),
    **{
        name: Recipe(name, None, 30_000) for name in PRESETS if name.startswith(("faces", "chairs"))
    },
}


def train(recipe, model="info_gan", log_dir="runs/info_gan", data_dir=None, seed=0, verbose="auto"):
    """Trains one model by a `Recipe` and writes everything of it into `log_dir`.

    That is `model.keras`, `results.json` (settings, curves, scores, seconds), `pictures/` and
    TensorBoard logs. A training that was interrupted goes on where it stopped, bit for bit, if
    it is started again with the same settings; what a finished one left there goes.

    Returns:
        (model, results): the trained model and what went into `results.json`.

    Raises:
        ValueError: if the model, the data or a setting is unknown or out of range, or `log_dir`
            holds an unfinished training with other settings.
    """
    if model not in MODELS:
        raise ValueError(f"`model` must be one of {MODELS}. Received: model={model!r}")
    if recipe.steps % recipe.steps_per_epoch or recipe.steps < 1:
        raise ValueError(
            f"`steps` must be a positive multiple of {recipe.steps_per_epoch}, an epoch. "
            f"Received: steps={recipe.steps}"
        )
    if recipe.data is None:
        raise ValueError(
            "`data` must name the images of this recipe: a folder, zip or .npz of them. "
            "Received: None"
        )
    preset = PRESETS[recipe.preset]
    shape = preset.image_shape
    images, _ = kd.datasets.load_images(recipe.data, data_dir=data_dir, image_shape=shape)
    log_dir = Path(log_dir)
    settings = {
        "model": model,
        "settings": asdict(recipe),
        "seed": seed,
        "backend": keras.backend.backend(),
    }
    if not _runs.goes_on(log_dir, settings):
        _runs.check_finished(log_dir)
        _runs.clear(log_dir, "backup")
        _runs.write_json(log_dir / _runs.RUN, settings)

    trained = build_model(model, recipe, seed)
    trained.compile(**preset.optimizers())
    labelled = _labelled(trained, recipe, data_dir)
    batches = kd.datasets.image_batches(
        images, preset.batch_size, seed, steps_per_epoch=recipe.steps_per_epoch
    )
    epochs = recipe.steps // recipe.steps_per_epoch
    clock = _runs.Clock()
    callbacks = [*_ramps(trained, recipe)]
    if labelled is not None:
        callbacks.append(_Classes(*labelled, recipe.classes_every))
    callbacks += [
        kd.callbacks.LatentTraversal(log_dir, every=max(1, epochs // 8)),
        kd.callbacks.TensorBoardScalars(log_dir),
        # Behind those that draw: a training is not over before its pictures are there.
        kd.callbacks.ExactBackup(log_dir / "backup"),
        clock,
    ]
    history = trained.fit(batches, epochs=epochs, verbose=verbose, callbacks=callbacks).history
    results = {
        **settings,
        "steps": read(trained.step),
        "seconds": round(clock.seconds, 1),
        "timed_steps": clock.steps,
        "history": history,
    }
    # First of all the model: what follows may fail or be interrupted.
    _runs.save_model(trained, log_dir / "model.keras")
    results["information"] = _trained.information(trained, 10_000, seed=0)
    results["entropy"] = trained.space.entropy()
    if labelled is not None:
        result = _trained.classification(trained, *labelled)
        results["error"], results["real_information"] = result["error"], result["information"]
    traverse.draw(trained, log_dir / "pictures")
    save_png(log_dir / "pictures" / "information.png", information_curves({model: results}))
    _runs.write_json(log_dir / "results.json", results)
    return trained, results


def build_model(name, recipe, seed=0):
    """The uncompiled model `name` of a recipe: "info_gan", or "detached" without feedback.

    Raises:
        ValueError: if the precision is unknown.
    """
    keras.utils.set_random_seed(seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.precision)
    try:
        return InfoGAN(preset=recipe.preset, feedback=name == "info_gan", seed=seed)
    finally:
        keras.config.set_dtype_policy(before)


class _Classes(keras.callbacks.Callback):
    """Adds what the categories make of labelled images to the logs: `error`, as a classifier, and
    `real_information` between image and category, which needs no labels."""

    only_looks_on = True  # for `ExactBackup`

    def __init__(self, images, labels, every):
        super().__init__()
        self.images, self.labels, self.every = images, labels, every

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            result = _trained.classification(self.model, self.images, self.labels)
            logs["error"], logs["real_information"] = result["error"], result["information"]


def _ramps(model, recipe):
    if recipe.last_weight is None:
        return []
    return [
        kd.callbacks.RampWeight(
            f"information_weight_{code.name}",
            recipe.last_weight,
            recipe.ramp_steps,
            recipe.first_weight,
        )
        for code in model.space.informative
        if isinstance(code, kd.latents.Categorical)
    ]


def _labelled(model, recipe, data_dir):
    """Test images with labels that the categories can be held against, or None."""
    if not any(isinstance(code, kd.latents.Categorical) for code in model.space.informative):
        return None
    try:
        images, labels = kd.datasets.load_images(
            recipe.data, split="test", data_dir=data_dir, image_shape=model.image_shape
        )
    except ValueError:  # Data without a test split, such as a folder of images.
        return None
    return None if labels is None else (images, labels)


def main(arguments=None):
    """Command line of `scripts/train.py info_gan`."""
    parser = argparse.ArgumentParser(
        prog="train.py info_gan",
        description="Trains InfoGAN, or a GAN with a detached Q, by a recipe. Started again with "
        "the same options, an interrupted training goes on.",
        epilog="Example: train.py info_gan --recipe mnist --data-dir ~/data --log-dir runs/mnist",
    )
    add = parser.add_argument
    add(
        "--recipe",
        choices=sorted(RECIPES),
        help="settings to start from, and images' shape (mnist)",
    )
    add("--model", choices=MODELS, default="info_gan", help="what to train (info_gan)")
    add("--data-dir", help="where downloaded data sets lie")
    add("--log-dir", default="runs/info_gan", help="where everything goes (runs/info_gan)")
    add("--seed", type=int, default=0, help="of weights, codes and data order (0)")
    add("--verbose", type=int, default=None, help="2 prints a line an epoch instead of a bar")
    own = parser.add_argument_group("settings in place of the recipe's")
    for flag, kind, text in (
        ("--data", str, "a data set's name, or a folder, zip or .npz of images"),
        ("--steps", int, "training steps"),
        ("--first-weight", float, "weight of the categorical codes' bound at the start"),
        ("--last-weight", float, "weight of the categorical codes' bound after the ramp"),
        ("--ramp-steps", int, "training steps from --first-weight to --last-weight"),
        ("--precision", str, "float32 or mixed_bfloat16"),
    ):
        own.add_argument(flag, type=kind, help=text, default=argparse.SUPPRESS)
    options = vars(parser.parse_args(arguments))

    known = {field.name for field in fields(Recipe)}
    given = {name: value for name, value in options.items() if name in known}
    recipe = replace(RECIPES[options["recipe"] or "mnist"], **given)
    if "data" in given:
        shapes = {name: PRESETS[known.preset].image_shape for name, known in RECIPES.items()}
        _own_data.check_shape_is_said(
            recipe.data,
            PRESETS[recipe.preset].image_shape,
            options["data_dir"],
            "recipe",
            options["recipe"] is not None,
            shapes,
        )
    log_dir = Path(options["log_dir"])
    _, results = train(
        recipe,
        options["model"],
        log_dir,
        options["data_dir"],
        options["seed"],
        "auto" if options["verbose"] is None else options["verbose"],
    )
    print("\n" + table(results) + "\n")
    for what, where in (
        ("pictures", "pictures"),
        ("scores", "results.json"),
        ("model", "model.keras"),
    ):
        print(f"{what:10} {log_dir / where}")
    print(f"TensorBoard: tensorboard --logdir {log_dir}")


def table(results):
    """The scores of a run as text."""
    lines = [
        f"{results['model']}: {results['steps']} steps ({results['backend']}), seed "
        f"{results['seed']}; {results['seconds']:.0f} s for {results['timed_steps']} of them"
    ]
    for name, value in results["information"].items():
        lines.append(f"{name:16} L_I {value:7.3f} of H(c) {results['entropy'][name]:6.3f} nats")
    if "error" in results:
        lines.append(f"error of the categories as classes  {100 * results['error']:.2f}%")
        lines.append(f"their information on real images  {results['real_information']:.3f} nats")
    return "\n".join(lines)
