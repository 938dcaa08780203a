"""Trains pro-VLAE, or a baseline with the same latents and steps.

    python scripts/train.py provlae --recipe demo --log-dir runs/demo

SCORES
"""

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import keras
import numpy as np
from keras_disentangle.applications.provlae.networks import flat_networks
from keras_disentangle.applications.provlae.provlae import NETWORKS, ProVLAE

import keras_disentangle as kd

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


def build_model(name, recipe, seed=None):
    """The uncompiled model `name` (one of `MODELS`) of a recipe; the student without a teacher."""
    keras.utils.set_random_seed(seed if seed is not None else 0)
    ladder = {
        "image_shape": recipe.image_shape,
        "rung_sizes": recipe.rung_sizes,
    }
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


def train(
    recipe,
    model="provlae",
    log_dir="runs/provlae",
    data_dir=None,
    seed=0,
    verbose="auto",
    evaluate=True,
):
    """Trains one model by a `Recipe` and writes everything of it into `log_dir`.

    `model.keras`, `results.json` (settings, history, scores, seconds), `pictures/` and the
    TensorBoard logs.

    Returns:
        (model, results): the trained model and what went into `results.json`.

    Raises:
        ValueError: if the model, the data or a setting is unknown or out of range.
    """
    log_dir = Path(log_dir)
    data = load_data(recipe, data_dir)
    begin = time.perf_counter()
    steps = recipe.steps_per_stage // recipe.epochs_per_stage
    if steps < 1:
        raise ValueError(
            f"`steps_per_stage` must be at least {recipe.epochs_per_stage}, one step an epoch. "
            f"Received: steps_per_stage={recipe.steps_per_stage}"
        )
    recipe = replace(recipe, steps_per_stage=steps * recipe.epochs_per_stage)
    stages = len(recipe.rung_sizes)
    if model == "teacher_student":
        trained = _teacher_student(recipe, data, steps, seed, log_dir, verbose)
    else:
        trained = build_model(model, recipe, seed)
        callbacks = []
        if model == "provlae":
            callbacks.append(
                kd.callbacks.ProgressiveFadeIn(
                    steps_per_stage=recipe.steps_per_stage, fade_steps=recipe.fade_steps
                )
            )
        _fit(trained, recipe, data, steps, stages, seed, log_dir, verbose, callbacks)
    seconds = time.perf_counter() - begin
    results = {
        "model": model,
        "settings": asdict(recipe),
        "seed": seed,
        "backend": keras.backend.backend(),
        "steps": int(trained.step),
        "seconds": round(seconds, 1),
    }
    results["terms"] = {
        name: round(float(values[-1]), 4) for name, values in trained.history.history.items()
    }
    if evaluate and isinstance(data, kd.datasets.FactorDataset):
        results["scores"] = kd.evaluate(trained, data, num_samples=20_000)
    trained.save(log_dir / "model.keras")
    _write_json(log_dir / "results.json", results)
    return trained, results


def load_data(recipe, data_dir=None):
    """The `FactorDataset` of a recipe, or an array of uint8 images."""
    if recipe.data == "dsprites":
        return kd.datasets.DSprites(image_size=recipe.image_shape[0])
    name = recipe.data
    images, _ = kd.datasets.load_images(name, data_dir=data_dir, image_shape=recipe.image_shape)
    return images


def _fit(model, recipe, data, steps, stages, seed, log_dir, verbose, callbacks):
    epochs = stages * recipe.epochs_per_stage
    is_factors = isinstance(data, kd.datasets.FactorDataset)
    if is_factors:
        batches = data.batches(recipe.batch_size, seed=seed, steps_per_epoch=steps)
        rng = np.random.default_rng(seed)
        shown = data.images(np.sort(rng.choice(len(data), min(10_000, len(data)), replace=False)))
    else:
        batches = kd.datasets.image_batches(data, recipe.batch_size, seed, steps_per_epoch=steps)
        shown = data[:60_000]
    model.compile(keras.optimizers.Adam(recipe.learning_rate))
    if recipe.beta_start is not None:
        callbacks = [
            *callbacks,
            kd.callbacks.RampWeight("beta", recipe.beta, recipe.beta_steps, recipe.beta_start),
        ]
    # The pictures and scores of a stage are taken at its end.
    every = recipe.epochs_per_stage
    watch = [
        kd.callbacks.InformationFlow(log_dir, shown),
        kd.callbacks.LatentTraversal(log_dir, every=every, images=shown[:16]),
    ]
    if is_factors:
        watch.append(kd.callbacks.FactorMetrics(data, every=every, num_votes=500))
    watch.append(kd.callbacks.TensorBoardScalars(log_dir))
    model.fit(batches, epochs=epochs, verbose=verbose, callbacks=[*callbacks, *watch])


def _teacher_student(recipe, data, steps, seed, log_dir, verbose):
    """One stage for a teacher with the latents of the top rung, the others for the student."""
    keras.utils.set_random_seed(seed)
    teacher = kd.models.VAE(**_flat(recipe, recipe.rung_sizes[0]), beta=recipe.beta, seed=seed)
    _fit(teacher, recipe, data, steps, 1, seed, log_dir / "teacher", verbose, [])
    student = kd.models.TeacherStudentVAE(
        teacher, **_flat(recipe, sum(recipe.rung_sizes)), beta=recipe.beta, seed=seed
    )
    stages = len(recipe.rung_sizes) - 1
    _fit(student, recipe, data, steps, stages, seed + 1, log_dir, verbose, [])
    return student


def _flat(recipe, latent_dim):
    return flat_networks(recipe.image_shape, latent_dim, num_levels=len(recipe.rung_sizes))


def table(results):
    """The scores of a run as text, a line for each rung."""
    terms, scores = results["terms"], results.get("scores")
    lines = [
        f"{results['model']}: {results['steps']} steps in {results['seconds']:.0f} s "
        f"({results['backend']}), seed {results['seed']}",
        f"reconstruction  {terms['reconstruction']:7.2f} nats an image",
    ]
    levels = sorted((name for name in terms if name.startswith("kl")), reverse=True)
    information = scores["information"] if scores else [None] * len(levels)
    for name, value in zip(levels, information, strict=True):
        label = name.replace("kl_", "rung ").replace("kl", "code")
        known = "" if value is None else f"   I(x; z) {value:5.2f} nats"
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
        description="Trains pro-VLAE or one of the paper's baselines by a recipe; the options "
        "replace single settings of it.",
        epilog="Example: train.py provlae --recipe mnist --data-dir ~/data --log-dir runs/mnist",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--recipe", choices=sorted(RECIPES), default="demo", help="settings to start from")
    add("--model", choices=MODELS, default="provlae", help="what to train")
    add("--data", help="a data set's name, or a folder, zip or .npz of images")
    add("--data-dir", help="where downloaded data sets lie")
    add("--log-dir", default="runs/provlae", help="where model, scores, pictures and logs go")
    add("--seed", type=int, default=0, help="of weights, noise and data order")
    add("--image-size", type=int, help="side of the images in pixels")
    add(
        "--rungs",
        dest="rung_sizes",
        type=int,
        nargs="+",
        help="latents of each rung, most abstract first",
    )
    add("--beta", type=float, help="weight of the KL terms")
    add("--beta-start", type=float, help="weight of the KL terms at the start")
    add("--beta-steps", type=int, help="training steps from --beta-start to --beta")
    add("--gamma", type=float, help="weight of the dormant rungs' KL terms")
    add("--fade-steps", type=int, help="training steps of a fade-in; 0 switches it off")
    add("--steps-per-stage", type=int, help="training steps of each stage")
    add("--batch-size", type=int, help="images in a batch")
    add("--learning-rate", type=float, help="of Adam")
    options = vars(parser.parse_args(arguments))

    recipe = RECIPES[options["recipe"]]
    known = {field.name for field in fields(Recipe)}
    given = {name: v for name, v in options.items() if name in known and v is not None}
    if options["image_size"]:
        given["image_shape"] = (*[options["image_size"]] * 2, recipe.image_shape[-1])
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


def _write_json(path, content):
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(part, path)
