"""Trains pro-VLAE, or a baseline with the same latents and steps.

    python scripts/train.py provlae --recipe demo --log-dir runs/demo

On two CPU cores with TensorFlow: 13,500 steps in 8 minutes; MIG 0.37, MIG-sup 0.41, FactorVAE 0.73
on dSprites at 32×32. The card in this folder has all the figures.
"""

import argparse
import functools
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import keras

import keras_disentangle as kd
from keras_disentangle.applications import _own_data, _runs
from keras_disentangle.applications.provlae import _trained
from keras_disentangle.applications.provlae.networks import flat_networks
from keras_disentangle.applications.provlae.provlae import NETWORKS, ProVLAE
from keras_disentangle.schedules import read

MODELS = ("provlae", "vlae", "beta_vae", "teacher_student")


@dataclass(frozen=True)
class Recipe:
    """One training: the data, the ladder, and the length of its stages.

    `steps_per_stage`, `fade_steps` and `beta_steps` are training steps. Beta goes from
    `beta_start`, if given, to `beta` within `beta_steps`. A model that is trained at once gets as
    many steps as all stages together.
    """

    data: str
    image_shape: tuple
    rung_sizes: tuple
    batch_size: int
    steps_per_stage: int
    beta: float = 1.0
    beta_start: float | None = None
    beta_steps: int = 0
    gamma: float = 0.5
    fade_steps: int = 5000
    learning_rate: float = 5e-4
    networks: str = "small"
    epochs_per_stage: int = 10


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


def build_model(name, recipe, seed=0):
    """The uncompiled model `name` of a recipe: "provlae", "vlae" or "beta_vae".

    Raises:
        ValueError: if `name` is another one, or a setting is out of range.
    """
    keras.utils.set_random_seed(seed)
    ladder = {"image_shape": recipe.image_shape, "rung_sizes": recipe.rung_sizes}
    if name == "provlae":
        settings = {"beta": recipe.beta, "gamma": recipe.gamma, "networks": recipe.networks}
        return ProVLAE(**ladder, **settings, seed=seed)
    if name == "vlae":
        networks = NETWORKS[recipe.networks](**ladder)
        return kd.models.LadderVAE(**networks, beta=recipe.beta, seed=seed, name="vlae")
    if name == "beta_vae":
        networks = _flat(recipe, sum(recipe.rung_sizes))
        return kd.models.VAE(**networks, beta=recipe.beta, seed=seed, name="beta_vae")
    raise ValueError(f"`model` must be one of {MODELS}. Received: model={name!r}")


def train(recipe, model="provlae", log_dir="runs/provlae", data_dir=None, seed=0, verbose="auto"):
    """Trains one model by a `Recipe` and writes everything of it into `log_dir`.

    That is `model.keras`, `results.json` (settings, last metrics, information after each stage,
    scores, seconds of so many `timed_steps`, a teacher's among them), `pictures/`, `backup/` and
    TensorBoard logs. A training that was interrupted goes on after its last whole epoch, bit for
    bit, if it is started again with the same settings; what a finished one left there goes.

    Returns:
        (model, results): the trained model and what went into `results.json`.

    Raises:
        ValueError: if the model, the data or a setting is unknown or out of range, or `log_dir`
            holds an unfinished training with other settings.
    """
    if model not in MODELS:
        raise ValueError(f"`model` must be one of {MODELS}. Received: model={model!r}")
    steps = recipe.steps_per_stage // recipe.epochs_per_stage
    if steps < 1:
        raise ValueError(
            f"`steps_per_stage` must be at least {recipe.epochs_per_stage}, one step an epoch. "
            f"Received: steps_per_stage={recipe.steps_per_stage}"
        )
    recipe = replace(recipe, steps_per_stage=steps * recipe.epochs_per_stage)
    data = _trained.load_data(recipe.data, recipe.image_shape, data_dir)
    log_dir = Path(log_dir)
    settings = {
        "model": model,
        "settings": asdict(recipe),
        "seed": seed,
        "backend": keras.backend.backend(),
    }
    if not _runs.goes_on(log_dir, settings):
        _runs.check_finished(log_dir)
        _runs.clear(log_dir, "teacher", "backup")
        _runs.write_json(log_dir / _runs.RUN, settings)

    clock = _runs.Clock()
    fit = functools.partial(
        _fit, recipe=recipe, data=data, steps=steps, verbose=verbose, clock=clock
    )
    stages = len(recipe.rung_sizes)
    if model == "teacher_student":
        trained, flow = _teacher_student(recipe, fit, seed, log_dir)
    else:
        trained, callbacks = build_model(model, recipe, seed), []
        if model == "provlae":
            callbacks.append(
                kd.callbacks.ProgressiveFadeIn(
                    steps_per_stage=recipe.steps_per_stage, fade_steps=recipe.fade_steps
                )
            )
        flow = fit(trained, stages, seed, log_dir, log_dir / "backup", callbacks)
    results = {
        **settings,
        "steps": read(trained.step),
        "seconds": round(clock.seconds, 1),
        "timed_steps": clock.steps,
        "terms": {name: values[-1] for name, values in trained.history.history.items()},
        "stages": flow,
    }
    # First of all the model: what follows may fail or be interrupted.
    _runs.save_model(trained, log_dir / "model.keras")
    if hasattr(data, "factors"):
        results["scores"] = kd.evaluate(trained, data, num_samples=20_000)
    _runs.write_json(log_dir / "results.json", results)
    return trained, results


def with_data(recipe, data=None, data_dir=None, image_size=None):
    """The recipe with other data, whose images have the shape of these data, or another size.

    Raises:
        ValueError: as `_own_data.shape_of_data`.
    """
    if data in (None, recipe.data) and image_size is None:
        return recipe
    data = recipe.data if data is None else data
    shape = _own_data.shape_of_data(data, recipe.image_shape, data_dir, image_size)
    print(f"{data}: trained on as images of {_own_data.text(shape)}")
    return replace(recipe, data=data, image_shape=shape)


def _fit(
    model, stages, seed, log_dir, backup, callbacks=(), *, recipe, data, steps, verbose, clock
):
    """Trains for `stages` stages; returns the information of the rungs after each."""
    has_factors = hasattr(data, "factors")
    if has_factors:
        batches = data.batches(recipe.batch_size, seed=seed, steps_per_epoch=steps)
        shown = data.images(data.sample_index(10_000, seed))
    else:
        batches = kd.datasets.image_batches(data, recipe.batch_size, seed, steps_per_epoch=steps)
        shown = data[:60_000]
    model.compile(keras.optimizers.Adam(recipe.learning_rate))
    callbacks = list(callbacks)
    if recipe.beta_start is not None:
        callbacks.append(
            kd.callbacks.RampWeight("beta", recipe.beta, recipe.beta_steps, recipe.beta_start)
        )
    # The pictures and scores of a stage are taken at its end.
    every = recipe.epochs_per_stage
    flow = kd.callbacks.InformationFlow(log_dir, shown)
    callbacks += [flow, kd.callbacks.LatentTraversal(log_dir, every=every, images=shown[:16])]
    if has_factors:
        scores = kd.callbacks.FactorMetrics(data, every=every, max_share=None, num_votes=500)
        callbacks.append(scores)
    callbacks.append(kd.callbacks.TensorBoardScalars(log_dir))
    # Behind those that draw: a training is not over before its pictures are there.
    callbacks += [kd.callbacks.ExactBackup(backup), clock]
    model.fit(batches, epochs=stages * every, verbose=verbose, callbacks=callbacks)
    return flow.stages


def _teacher_student(recipe, fit, seed, log_dir):
    """One stage for a teacher with the latents of the top rung, the others for the student."""
    keras.utils.set_random_seed(seed)
    teacher = kd.models.VAE(**_flat(recipe, recipe.rung_sizes[0]), beta=recipe.beta, seed=seed)
    # Within the folder of the student's backups, so that the one is not taken without the other.
    fit(teacher, 1, seed, log_dir / "teacher", log_dir / "backup" / "teacher")
    student = kd.models.TeacherStudentVAE(
        teacher, **_flat(recipe, sum(recipe.rung_sizes)), beta=recipe.beta, seed=seed
    )
    student.start_from_teacher()
    stages = len(recipe.rung_sizes) - 1
    flow = fit(student, stages, seed + 1, log_dir, log_dir / "backup")
    return student, flow


def _flat(recipe, latent_dim):
    return flat_networks(recipe.image_shape, latent_dim, num_levels=len(recipe.rung_sizes))


def table(results):
    """The scores of a run as text, a line for each rung."""
    terms, scores = results["terms"], results.get("scores")
    lines = [
        f"{results['model']}: {results['steps']} steps, {results['backend']}, "
        f"seed {results['seed']}",
        f"{results['seconds']:.0f} s for {results['timed_steps']} training steps",
        f"reconstruction  {terms['reconstruction']:7.2f} nats an image",
    ]
    levels = sorted((name for name in terms if name.startswith("kl")), reverse=True)
    information = scores["information"] if scores else [None] * len(levels)
    for name, value in zip(levels, information, strict=True):
        label = name.replace("kl_", "rung ").replace("kl", "code")
        known = "" if value is None else f"   I(x; z) {value:z5.2f} nats"
        lines.append(f"{label:14}  KL {terms[name]:6.2f} nats{known}")
    if scores:
        lines.append(f"total           I(x; z) {scores['information_total']:5.2f} nats")
        lines += [
            f"{label:15} {scores[name]:7.3f}"
            for label, name in (("MIG", "mig"), ("MIG-sup", "mig_sup"), ("FactorVAE", "factor_vae"))
        ]
    return "\n".join(lines)


def main(arguments=None):
    """Command line of `scripts/train.py provlae`."""
    parser = argparse.ArgumentParser(
        prog="train.py provlae",
        description="Trains pro-VLAE or one of the paper's baselines by a recipe.",
        epilog="Example: train.py provlae --recipe mnist --data-dir ~/data --log-dir runs/mnist",
    )
    add = parser.add_argument
    add("--recipe", choices=sorted(RECIPES), default="demo", help="settings to start from (demo)")
    add("--model", choices=MODELS, default="provlae", help="what to train (provlae)")
    add("--data-dir", help="where downloaded data sets lie")
    add("--log-dir", default="runs/provlae", help="where everything goes (runs/provlae)")
    add("--seed", type=int, default=0, help="of weights, noise and data order (0)")
    own = parser.add_argument_group("settings in place of the recipe's")
    for flag, kind, text in (
        ("--data", str, "a data set's name, or a folder, zip or .npz of images"),
        ("--image-size", int, "side of the images in pixels; by default that of the data"),
        ("--beta", float, "weight of the KL terms"),
        ("--beta-start", float, "weight of the KL terms at the start"),
        ("--beta-steps", int, "training steps from --beta-start to --beta"),
        ("--gamma", float, "weight of the dormant rungs' KL terms"),
        ("--fade-steps", int, "training steps of a fade-in; 0 switches it off"),
        ("--steps-per-stage", int, "training steps of each stage"),
        ("--batch-size", int, "images in a batch"),
        ("--learning-rate", float, "of Adam"),
    ):
        own.add_argument(flag, type=kind, help=text, default=argparse.SUPPRESS)
    own.add_argument(
        "--rungs",
        dest="rung_sizes",
        type=int,
        nargs="+",
        help="latents of each rung, most abstract first",
        default=argparse.SUPPRESS,
    )
    options = vars(parser.parse_args(arguments))

    recipe = RECIPES[options["recipe"]]
    known = {field.name for field in fields(Recipe)}
    given = {name: value for name, value in options.items() if name in known}
    recipe = with_data(recipe, options.get("data"), options["data_dir"], options.get("image_size"))
    recipe = replace(recipe, **given)

    log_dir = Path(options["log_dir"])
    _, results = train(recipe, options["model"], log_dir, options["data_dir"], options["seed"])
    print("\n" + table(results) + "\n")
    for what, where in (
        ("traversal", "pictures/traversal.gif"),
        ("pictures", "pictures"),
        ("scores", "results.json"),
        ("model", "model.keras"),
    ):
        print(f"{what:10} {log_dir / where}")
    print(f"TensorBoard: tensorboard --logdir {log_dir}")
