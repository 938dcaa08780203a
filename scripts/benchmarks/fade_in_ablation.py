"""Which trainings of pro-VLAE survive without fade-in and without the KL of dormant rungs.

    python scripts/benchmarks/fade_in_ablation.py --out results.json
    python scripts/benchmarks/fade_in_ablation.py --seeds 0 1 2 --learning-rates 5e-4 5e-3

Table 2 of Li et al., 2020: the share of successful trainings of four arms, with neither strategy,
with the KL of the dormant rungs alone (gamma = 0.5), with fade-in alone, and with both. An
experiment is a setting of beta, learning rate and seed; each arm of it starts from the same weights
and sees the same batches of dSprites (32×32). The paper's shares are those of 15 experiments; it
does not say which. By default there are 15 here too, most of them with a higher learning rate than
the paper's 5e-4, to bring failures about within short stages. The shares depend on that choice, and
are printed for each learning rate as well.

The paper does not say either when a training counts as failed. Here it does for the first of:

    not finite  the loss, the reconstruction or a KL is NaN or infinite in an epoch's mean;
    bound       in the stage that a rung joins, the bound of an epoch exceeds --bound-factor times
                the one before the stage (its last epoch), and after its peak it does not come
                back to that within the stage. Bound: reconstruction + beta * KL of the rungs that
                have joined, in nats an image. The loss itself would not do, for it jumps when a
                rung's KL is weighted by beta instead of gamma;
    KL          the KL of a rung that has joined exceeds --kl-limit nats in an epoch, and after its
                peak it does not come back to that within the stage.

The numbers behind the verdicts are printed, and every epoch's terms are in the results file, so
that one can judge otherwise. What a verdict needs is in the file: other limits train nothing anew.
A posterior reads h_l as it is while its rung is dormant; without the KL its weights then rest, but
what it reads does not, and its KL may drift.

The results file is written after each training, and trainings that it holds are not repeated:
start the command again after an interruption. The stages are far shorter than the paper's: raise
--steps-per-stage and --fade-steps together. KERAS_BACKEND chooses the backend; TensorFlow's
threads are limited by TF_NUM_INTRAOP_THREADS and TF_NUM_INTEROP_THREADS.
"""

import argparse
import itertools
import json
import math
import time
from pathlib import Path

import keras

import keras_disentangle as kd
from keras_disentangle._files import write_whole

IMAGE_SIZE = 32
BATCH_SIZE = 100
GAMMA = 0.5
# name: (KL of dormant rungs, fade-in, the paper's share of successful trainings)
ARMS = {
    "neither": (False, False, 0.0),
    "KL only": (True, False, 0.667),
    "fade-in only": (False, True, 0.733),
    "both": (True, True, 0.867),
}
FAILURES = ("not finite", "bound", "KL")


def main():
    options = parse()
    plan = [
        training_settings(options, arm, seed, beta, learning_rate)
        for seed, beta, learning_rate, arm in itertools.product(
            options.seeds, options.betas, options.learning_rates, ARMS
        )
    ]
    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    trainings = json.loads(out.read_text())["trainings"] if out.exists() else []
    held = [training["settings"] for training in trainings]
    missing = [settings for settings in plan if settings not in held]
    print(f"{len(plan)} trainings, {len(plan) - len(missing)} of them in {out}", flush=True)

    trainer, begin = Trainer(options.rungs), time.perf_counter()
    for i, settings in enumerate(missing, start=1):
        training = trainer.train(settings)
        trainings.append(training)
        write(out, {"trainings": trainings})
        left = (time.perf_counter() - begin) / i * (len(missing) - i)
        print(
            f"{i}/{len(missing)}  {describe(settings)}: "
            f"{verdict(training, options.bound_factor, options.kl_limit) or 'succeeded'}, "
            f"{training['seconds']:.0f} s, about {left / 60:.0f} min left",
            flush=True,
        )

    planned = [training for training in trainings if training["settings"] in plan]
    planned.sort(key=lambda training: plan.index(training["settings"]))
    verdicts = [verdict(each, options.bound_factor, options.kl_limit) for each in planned]
    print_numbers(planned, verdicts)
    print_table(planned, verdicts)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def add(name, help, **kwargs):
        parser.add_argument(name, help=f"{help} (default: %(default)s)", **kwargs)

    several = {"nargs": "+"}
    add("--seeds", "of weights, noise and batches", type=int, default=[0], **several)
    add("--betas", "weights of the KL terms", type=float, default=[1.0, 4.0, 8.0], **several)
    rates = [5e-4, 1e-3, 2e-3, 5e-3, 1e-2]
    add("--learning-rates", "of Adam", type=float, default=rates, **several)
    add(
        "--rungs", "latents of each rung, most abstract first", type=int, default=[3] * 3, **several
    )
    add("--steps-per-stage", "training steps from rung to rung", type=int, default=300)
    add("--fade-steps", "training steps of a fade-in, in the arms with one", type=int, default=150)
    add("--epochs-per-stage", "means that are taken in a stage", type=int, default=10)
    add("--bound-factor", "a bound so many times the one before fails", type=float, default=1.5)
    add("--kl-limit", "nats above which a rung's KL fails", type=float, default=100.0)
    add(
        "--out", "the results file, read first if it is there", default="runs/fade_in_ablation.json"
    )
    options = parser.parse_args()

    for name in ("steps_per_stage", "fade_steps", "epochs_per_stage"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be positive")
    if options.steps_per_stage % options.epochs_per_stage:
        parser.error("--steps-per-stage must be a multiple of --epochs-per-stage")
    if options.fade_steps > options.steps_per_stage:
        parser.error("--fade-steps must be at most --steps-per-stage")
    if len(options.rungs) < 2:
        parser.error("--rungs must be at least two, or nothing joins")
    if not options.bound_factor >= 1:
        parser.error("--bound-factor must be at least 1")
    if min(options.seeds) < 0:
        parser.error("--seeds must not be negative")
    return options


def training_settings(options, arm, seed, beta, learning_rate):
    """Everything that the outcome of a training depends on, as JSON holds it."""
    has_kl, has_fade_in, _ = ARMS[arm]
    return {
        "arm": arm,
        "seed": seed,
        "beta": beta,
        "learning_rate": learning_rate,
        "gamma": GAMMA if has_kl else 0.0,
        "fade_steps": options.fade_steps if has_fade_in else 0,
        "steps_per_stage": options.steps_per_stage,
        "epochs_per_stage": options.epochs_per_stage,
        "rungs": options.rungs,
        "image_size": IMAGE_SIZE,
        "batch_size": BATCH_SIZE,
        "backend": keras.backend.backend(),
    }


class Trainer:
    """Trains one setting after another; models of one gamma share their compiled step."""

    def __init__(self, rungs):
        self.rungs = tuple(rungs)
        self.data = kd.datasets.DSprites(IMAGE_SIZE)
        self.models = {}  # gamma is a constant of the compiled step; all else is in variables
        self.initial = (None, None, None)

    def train(self, settings):
        """The `settings`, the seconds, and of each term the mean of every epoch."""
        begin = time.perf_counter()
        model = self.fresh_model(settings)
        epochs = settings["epochs_per_stage"]
        batches = self.data.batches(
            settings["batch_size"],
            seed=settings["seed"],
            steps_per_epoch=settings["steps_per_stage"] // epochs,
        )
        fade_in = kd.callbacks.ProgressiveFadeIn(
            steps_per_stage=settings["steps_per_stage"], fade_steps=settings["fade_steps"]
        )
        history = model.fit(
            batches,
            epochs=len(self.rungs) * epochs,
            verbose=0,
            callbacks=[fade_in, StopWhenNotFinite()],
        ).history
        terms = ["loss", "reconstruction", *model.kl_names]
        return {
            "settings": settings,
            "seconds": round(time.perf_counter() - begin, 1),
            "history": {name: [in_json(value) for value in history[name]] for name in terms},
        }

    def fresh_model(self, settings):
        """The compiled model of that gamma, as if it had just been built from the seed."""
        seed, gamma = settings["seed"], settings["gamma"]
        if self.initial[0] != seed:
            built = self.build(seed)
            noise = keras.ops.convert_to_numpy(built.sampling.seed_generator.state)
            self.initial = (seed, built.get_weights(), noise)
        if gamma not in self.models:
            self.models[gamma] = self.build(seed, gamma)
            self.models[gamma].compile(keras.optimizers.Adam())
        model, (_, weights, noise) = self.models[gamma], self.initial
        model.set_weights(weights)  # the step counter and the ramps are among them
        model.sampling.seed_generator.state.assign(noise)
        for variable in model.optimizer.variables:
            variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
        model.optimizer.learning_rate = settings["learning_rate"]
        model.ramps["beta"].set(settings["beta"], settings["beta"], 0, 0)
        return model

    def build(self, seed, gamma=0.0):
        keras.utils.set_random_seed(seed)
        return kd.applications.ProVLAE(
            image_shape=self.data.image_shape, rung_sizes=self.rungs, gamma=gamma, seed=seed
        )


class StopWhenNotFinite(keras.callbacks.Callback):
    """Ends a training that has failed for good; by its means, so that no step waits."""

    def on_epoch_end(self, epoch, logs=None):
        if not all(math.isfinite(value) for value in logs.values()):
            self.model.stop_training = True


def verdict(training, bound_factor, kl_limit):
    """Why the training failed (one of `FAILURES`), or None."""
    if any(value is None for values in training["history"].values() for value in values):
        return "not finite"
    stages = by_stage(training)
    for stage in stages[1:]:
        bounds, before = stage["bound"], stage["bound_before"]
        if max(bounds) > bound_factor * before and not comes_back(bounds, before):
            return "bound"
    for stage in stages:
        for kls in stage["kls"]:
            if max(kls) > kl_limit and not comes_back(kls, kl_limit):
                return "KL"
    return None


def comes_back(values, level):
    return min(values[values.index(max(values)) :]) <= level


def by_stage(training):
    """For each stage that began: the bounds and the joined rungs' KL of its epochs.

    `bound_before` and `kl_before` (of the rung that joins) are those of the last epoch before it.
    """
    settings = training["settings"]
    history = {
        name: [math.nan if value is None else value for value in values]
        for name, values in training["history"].items()
    }
    names = [name for name in history if name.startswith("kl_")]  # most abstract first
    length, beta = settings["epochs_per_stage"], settings["beta"]

    def bounds(joined, epochs):
        terms = [history["reconstruction"][epochs], *(history[name][epochs] for name in joined)]
        return [first + beta * sum(kls) for first, *kls in zip(*terms, strict=True)]

    stages = []
    for i in range(len(names)):
        epochs, last = slice(i * length, (i + 1) * length), slice(i * length - 1, i * length)
        if i * length >= len(history["loss"]):
            break
        stages.append(
            {
                "bound": bounds(names[: i + 1], epochs),
                "bound_before": bounds(names[:i], last)[0] if i else None,
                "kls": [history[name][epochs] for name in names[: i + 1]],
                "kl_before": history[names[i]][last][0] if i else None,
            }
        )
    return stages


def print_numbers(trainings, verdicts):
    """A line for each training: what the verdict looks at."""
    print("\nIn each stage that a rung joins: before it > at the peak > at its end, in nats")
    for training, reason in zip(trainings, verdicts, strict=True):
        cells = []
        for i, stage in enumerate(by_stage(training)[1:], start=1):
            for what, before, values in (
                ("bound", stage["bound_before"], stage["bound"]),
                ("KL", stage["kl_before"], stage["kls"][-1]),
            ):
                numbers = (before, max(values, key=nan_last), values[-1])
                cells.append(f"stage {i} {what} " + " > ".join(f"{n:.1f}" for n in numbers))
        print(f"{describe(training['settings'])}: {reason or 'succeeded'}\n    " + "; ".join(cells))


def print_table(trainings, verdicts):
    outcomes = [
        (training["settings"]["arm"], training["settings"]["learning_rate"], reason)
        for training, reason in zip(trainings, verdicts, strict=True)
    ]
    print(f"\n{'':13} trainings  " + "  ".join(FAILURES) + "  succeeded  share  paper")
    for arm, (*_, paper) in ARMS.items():
        reasons = [reason for name, _, reason in outcomes if name == arm]
        counts = "  ".join(f"{reasons.count(failure):{len(failure)}}" for failure in FAILURES)
        successes = reasons.count(None)
        share = successes / len(reasons)
        print(f"{arm:13} {len(reasons):9}  {counts}  {successes:9}  {share:5.3f}  {paper:5.3f}")

    rates = sorted({rate for _, rate, _ in outcomes})
    print("\nsucceeded, by learning rate\n" + " " * 13 + "".join(f"{rate:9g}" for rate in rates))
    for arm in ARMS:
        cells = []
        for rate in rates:
            reasons = [reason for *setting, reason in outcomes if setting == [arm, rate]]
            cells.append(f"{reasons.count(None)}/{len(reasons)}")
        print(f"{arm:13}" + "".join(f"{cell:>9}" for cell in cells))


def describe(settings):
    return (
        f"seed {settings['seed']}, beta {settings['beta']:g}, "
        f"learning rate {settings['learning_rate']:g}, {settings['arm']}"
    )


def nan_last(value):
    """A key that sorts NaN as what it is here, the worst."""
    return math.inf if math.isnan(value) else value


def in_json(value):
    """JSON knows neither NaN nor infinity: None."""
    value = float(value)
    return value if math.isfinite(value) else None


def write(path, content):
    write_whole(path, (json.dumps(content) + "\n").encode())


if __name__ == "__main__":
    main()
