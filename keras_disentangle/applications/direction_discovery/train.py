"""Learns directions in the latent space of a trained generator.

    python scripts/train.py direction_discovery --preset clevr_1fov --log-dir runs/directions

On one CPU core with TensorFlow the presets of CLEVR-1FOV take two to six minutes. The card in this
folder has all the figures.
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import keras

import keras_disentangle as kd
from keras_disentangle._arguments import check_int, check_weight
from keras_disentangle.applications import _runs
from keras_disentangle.applications.direction_discovery import _trained, traverse
from keras_disentangle.applications.direction_discovery.direction_discovery import (
    METHODS,
    DirectionDiscovery,
)
from keras_disentangle.applications.direction_discovery.presets import PRESETS
from keras_disentangle.schedules import read
from keras_disentangle.visualization import save_png, training_curves

SETTINGS = ("steps", "steps_per_epoch", "batch_size", "learning_rate")


def train(
    preset,
    method="hessian_penalty",
    log_dir="runs/direction_discovery",
    generator_weights=None,
    seed=0,
    verbose="auto",
    **settings,
):
    """Learns directions by a preset and writes everything into `log_dir`.

    That is `model.keras`, `results.json` (settings, curves, seconds), `pictures/` and TensorBoard
    logs. A training that was interrupted goes on where it stopped, bit for bit, if it is started
    again with the same settings; what a finished one left there goes.

    Args:
        preset, method, generator_weights, seed: as for `kd.applications.DirectionDiscovery`.
        **settings: `steps`, `steps_per_epoch`, `batch_size` or `learning_rate`, in place of the
            preset's.

    Returns:
        (model, results): the trained model and what went into `results.json`.

    Raises:
        ValueError: if a name or a setting is unknown or out of range, or `log_dir` holds an
            unfinished training with other settings.
    """
    keras.utils.set_random_seed(seed)
    model = DirectionDiscovery(None, preset, generator_weights, method, seed)
    chosen = _chosen(preset, settings)
    log_dir = Path(log_dir)
    settings = {
        "preset": preset,
        "settings": asdict(chosen),
        "method": method,
        "generator_weights": None if generator_weights is None else str(generator_weights),
        "seed": seed,
        "backend": keras.backend.backend(),
    }
    if not _runs.goes_on(log_dir, settings):
        _runs.check_finished(log_dir)
        _runs.clear(log_dir, "backup")
        _runs.write_json(log_dir / _runs.RUN, settings)

    model.compile(chosen.optimizer() if method == "hessian_penalty" else None)
    clock, epochs = _runs.Clock(), chosen.steps // chosen.steps_per_epoch
    pictures = kd.callbacks.DirectionTraversal(
        log_dir,
        every=max(1, epochs // 5),
        span=0.6 * model.path_size,
        max_directions=12,
        batch_size=250,
    )
    history = model.fit(
        chosen.steps_per_epoch,
        batch_size=chosen.batch_size,
        epochs=epochs,
        verbose=verbose,
        callbacks=[
            pictures,
            kd.callbacks.TensorBoardScalars(log_dir),
            # Behind those that draw: a training is not over before its pictures are there.
            kd.callbacks.ExactBackup(log_dir / "backup"),
            clock,
        ],
    ).history
    results = {
        **settings,
        "steps": read(model.step),
        "seconds": round(clock.seconds, 1),
        "timed_steps": clock.steps,
        "history": history,
    }
    # First of all the model: what follows may fail or be interrupted.
    _runs.save_model(model, log_dir / "model.keras")
    _runs.write_json(log_dir / "results.json", results)
    traverse.draw(model, log_dir / "pictures")
    name = next(iter(model.trackers))
    ends = [(i + 1) * chosen.steps_per_epoch for i in range(epochs)]
    curve = training_curves({method: (ends, history[name])}, y_label=name.replace("_", " "))
    save_png(log_dir / "pictures" / f"{name}.png", curve)
    return model, results


def _chosen(preset, settings):
    """The preset with other settings, or a ValueError."""
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise ValueError(f"`settings` must be some of {SETTINGS}. Received: {sorted(unknown)}")
    chosen = replace(PRESETS[preset], **settings)
    for name in ("steps", "steps_per_epoch", "batch_size"):
        check_int(name, getattr(chosen, name))
    if not check_weight("learning_rate", chosen.learning_rate):
        raise ValueError("`learning_rate` must be positive. Received: learning_rate=0")
    if chosen.steps % chosen.steps_per_epoch:
        raise ValueError(
            f"`steps` must be a positive multiple of {chosen.steps_per_epoch}, an epoch. "
            f"Received: steps={chosen.steps}"
        )
    return chosen


def main(arguments=None):
    """Command line of `scripts/train.py direction_discovery`."""
    parser = argparse.ArgumentParser(
        prog="train.py direction_discovery",
        description="Learns directions in the latent space of a trained generator. Started again "
        "with the same options, an interrupted training goes on.",
        epilog="Example: train.py direction_discovery --preset mnist --log-dir runs/mnist",
    )
    add = parser.add_argument
    add("--preset", choices=sorted(PRESETS), default="clevr_1fov", help="generator and settings")
    add("--method", choices=METHODS, default="hessian_penalty", help="ours, or the baseline's")
    add("--generator-weights", help="weights of the generator in place of the preset's")
    add("--log-dir", default="runs/direction_discovery", help="where everything goes")
    add("--seed", type=int, default=0, help="of directions and draws (0)")
    add("--verbose", type=int, default=None, help="2 prints a line an epoch instead of a bar")
    own = parser.add_argument_group("settings in place of the preset's")
    for flag, kind, text in (
        ("--steps", int, "training steps"),
        ("--steps-per-epoch", int, "training steps of an epoch"),
        ("--batch-size", int, "latents of a step"),
        ("--learning-rate", float, "of Adam, with the Hessian penalty"),
    ):
        own.add_argument(flag, type=kind, help=text, default=argparse.SUPPRESS)
    options = vars(parser.parse_args(arguments))
    given = {name: value for name, value in options.items() if name in SETTINGS}
    log_dir = Path(options["log_dir"])
    model, results = train(
        options["preset"],
        options["method"],
        log_dir,
        options["generator_weights"],
        options["seed"],
        "auto" if options["verbose"] is None else options["verbose"],
        **given,
    )
    print(f"\n{results['steps']} steps ({results['backend']}), {results['seconds']:.0f} s for ")
    print(f"{results['timed_steps']} of them. At the end:")
    for name, values in sorted(results["history"].items()):
        print(f"  {name:20} {values[-1]:.4g}")
    preset = PRESETS[results["preset"]]
    if preset.weights is not None:
        found = _trained.compare({"learnt": model}, position=preset.shows_one_cube)
        _runs.write_json(log_dir / "scores.json", found)
        print("\n" + _trained.table(found) + "\n")
    else:  # More than a million images of a large generator: only if it is asked for.
        print(f"scores     scripts/evaluate.py direction_discovery --weights {log_dir}/model.keras")
    for what, where in (("pictures", "pictures"), ("model", "model.keras")):
        print(f"{what:10} {log_dir / where}")
    print(f"TensorBoard: tensorboard --logdir {log_dir}")
