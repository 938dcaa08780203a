"""Kills a training at random moments, starts it again, and compares it with one left in peace.

    python scripts/benchmarks/kill_and_resume.py
    python scripts/benchmarks/kill_and_resume.py --backend jax --model vae --kills 50
    python scripts/benchmarks/kill_and_resume.py --callbacks remembering --save-freq epoch
    python scripts/benchmarks/kill_and_resume.py --two

A small model with random numbers of its own, moving averages and ramps trains on `image_batches`
with `ExactBackup`. First it runs undisturbed. Then the same script is started again and again and
killed (SIGKILL) after a time drawn between 0 and what a whole run takes, the start of Python and
compilation included; every fourth time, at the next moment after that at which the run saves. A run
that gets to its end is compared bit by bit (weights, optimizer, seeds, ramps, history), and the
next kills are of a new one, in an empty folder. The last one is let run to its end, and then
started once more, which must change nothing.

With `--callbacks remembering`, callbacks that remember something watch a score that is made up, so
that the best of it, a rate that falls and an early end are known beforehand: `EarlyStopping` that
puts back the best weights, `ReduceLROnPlateau`, `ModelCheckpoint` of the best weights alone,
`CSVLogger`, and two callbacks of one's own, one of which writes a file. Their files are compared,
too: texts byte by byte, weights bit by bit.

With `--two`, a second process is started on the folder of one that trains: it must end with an
error that names the first, which must end as one that was left in peace.

Prints a line for each kill: where the run was, and "while saving" if it left a half-written file.
The exit status is 0 if every run that got to its end was equal, otherwise 1.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

EPOCHS = 50  # at most: with callbacks that remember, a run ends six epochs after the best
STEPS_PER_EPOCH = 40
SAVE_FREQ = 3  # batches: within epochs, and sometimes at the start of one
BATCH_SIZE = 16
IMAGE_SHAPE = (8, 8, 1)


# The trained models: each function returns one that is compiled.


def build_vae():
    import keras
    from keras import layers

    from keras_disentangle.models import VAE

    encoder = [
        layers.Flatten(),
        layers.Dense(32),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Dropout(0.2, seed=2),
        layers.Dense(6),
    ]
    decoder = [layers.Dense(64), layers.Reshape(IMAGE_SHAPE)]
    model = VAE(
        keras.Sequential([keras.Input(IMAGE_SHAPE), *encoder]),
        keras.Sequential([keras.Input((3,)), *decoder]),
        seed=1,
    )
    model.compile(keras.optimizers.Adam(1e-3, use_ema=True, ema_overwrite_frequency=50))
    return model


def build_info_gan():
    import keras
    from keras import layers

    from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
    from keras_disentangle.layers import QHead
    from keras_disentangle.models import InfoGAN

    space = LatentSpace([Normal(4), Categorical(3), Uniform(1)])
    generator = [
        layers.Dense(32, use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.Dense(64, "sigmoid"),
        layers.Reshape(IMAGE_SHAPE),
    ]
    image = keras.Input(IMAGE_SHAPE)
    features = layers.Dense(32, "tanh")(layers.Flatten()(image))
    model = InfoGAN(
        generator=keras.Sequential([keras.Input((space.dim,)), *generator]),
        discriminator=keras.Model(image, [layers.Dense(1)(features), features]),
        q_head=QHead(space, hidden=16),
        space=space,
        ema_decay=0.9,
        seed=1,
    )
    model.compile(
        generator_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    )
    return model


# Name of the model to its builder and to the ramp that moves while it trains.
MODELS = {
    "vae": (build_vae, "beta"),
    "info_gan": (build_info_gan, "information_weight_categorical"),
}


def made_up_score(epoch):
    """Falls to its best in epoch 21, but not from each epoch to the next."""
    return abs(epoch - 20) + (3.5 if epoch % 3 else 0.0)


def remembering(folder):
    """Callbacks that end otherwise if they forget, and the names of their files."""
    import keras
    import numpy as np

    class Score(keras.callbacks.Callback):
        only_looks_on = True

        def on_epoch_end(self, epoch, logs=None):
            logs["score"] = made_up_score(epoch)

    class Own(keras.callbacks.Callback):
        """Remembers in its attributes, and moves the weights by what it remembers."""

        def __init__(self):
            super().__init__()
            self.seen, self.best, self.rng = 0, [], np.random.default_rng(0)

        def on_train_batch_end(self, batch, logs=None):
            self.seen += 1

        def on_epoch_end(self, epoch, logs=None):
            if not self.best or logs["score"] < self.best[-1]:
                self.best.append(logs["score"])
            logs["own"] = self.seen + 100 * len(self.best) + self.rng.random()
            weight = self.model.trainable_variables[0]
            weight.assign(keras.ops.convert_to_tensor(weight) + 1e-3 * self.rng.random())

    class Diary(keras.callbacks.Callback):
        """Writes a line for each batch, and has the methods that say what is to be kept."""

        def on_train_begin(self, logs=None):
            self.file = open(folder / "diary.txt", "a")

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            print(self.epoch, batch, sorted(logs.items()), file=self.file, flush=True)

        def get_backup_state(self):
            return {"length": (folder / "diary.txt").stat().st_size}

        def set_backup_state(self, state):
            self.file.truncate(state["length"])

    score = {"monitor": "score", "mode": "min"}
    best = folder / "best.weights.h5"
    return [
        Score(),
        Own(),
        Diary(),
        keras.callbacks.ReduceLROnPlateau(**score, factor=0.7, patience=2, cooldown=2),
        keras.callbacks.ModelCheckpoint(best, **score, save_best_only=True, save_weights_only=True),
        keras.callbacks.CSVLogger(folder / "log.csv"),
        keras.callbacks.EarlyStopping(**score, patience=6, restore_best_weights=True),
    ]


def files_of(model, folder):
    """The contents of the files that the callbacks left, by name."""
    import keras
    import numpy as np

    contents = {}
    for name in ("log.csv", "diary.txt"):
        contents[name] = np.frombuffer((folder / name).read_bytes(), np.uint8)
    model.load_weights(folder / "best.weights.h5")
    for i, variable in enumerate(model.variables):
        contents[f"best/{i:03d}/{variable.path}"] = keras.ops.convert_to_numpy(variable)
    return contents


def work(settings):
    """What is killed: trains, and writes the numbers that come of it to `work`/result.npz."""
    folder = settings.work
    say = (folder / "progress.txt").open("w", buffering=1)
    say.write("importing\n")
    import keras
    import numpy as np

    from keras_disentangle._files import replacing
    from keras_disentangle.callbacks import ExactBackup, RampWeight
    from keras_disentangle.datasets import image_batches

    class Announce(keras.callbacks.Callback):
        only_looks_on = True
        batches = 0

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            say.write(f"epoch {self.epoch}, batch {batch}\n")
            self.batches += 1
            if self.batches == settings.die_after:
                os.kill(os.getpid(), signal.SIGKILL)

        def get_backup_state(self):
            return None

    say.write("building\n")
    build, ramp = MODELS[settings.model]
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).random((320, *IMAGE_SHAPE), dtype="float32")
    data = image_batches(images, BATCH_SIZE, seed=0, steps_per_epoch=settings.steps_per_epoch)
    model = build()
    say.write("compiling\n")
    ramp_steps = EPOCHS * settings.steps_per_epoch // 2
    callbacks = [RampWeight(ramp, 2.0, steps=ramp_steps)]
    others = [keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.98 * rate)]
    if settings.callbacks == "remembering":
        others = remembering(folder)
    save_freq = settings.save_freq
    backup = ExactBackup(
        folder / "backups", save_freq if save_freq == "epoch" else int(save_freq), data=data
    )
    middle = len(others) // 2  # some before it, some after it
    callbacks += [*others[:middle], backup, *others[middle:], Announce()]
    history = model.fit(data, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    numbers = {f"history/{key}": values for key, values in history.history.items()}
    numbers["history/epoch"] = history.epoch
    for i, variable in enumerate([*model.variables, *model.optimizer.variables]):
        numbers[f"{i:03d}/{variable.path}"] = keras.ops.convert_to_numpy(variable)
    for key, value in model.ramps.items():
        numbers[f"ramp/{key}"] = keras.ops.convert_to_numpy(value(model.step))
    if settings.callbacks == "remembering":
        numbers |= files_of(model, folder)
    with replacing(folder / "result.npz", suffix=".npz") as part:
        np.savez(part, **{k.replace("/", "|"): v for k, v in numbers.items()})
    say.write("finished\n")


def start(settings, folder, die_after=0):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "progress.txt").unlink(missing_ok=True)
    (folder / "result.npz").unlink(missing_ok=True)
    return subprocess.Popen(
        [
            *(sys.executable, __file__, "--work", str(folder), "--model", settings.model),
            *("--callbacks", settings.callbacks, "--save-freq", settings.save_freq),
            *("--steps-per-epoch", str(settings.steps_per_epoch), "--die-after", str(die_after)),
        ],
        env={**os.environ, "KERAS_BACKEND": settings.backend},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "errors.txt").open("w"),
    )


def run_to_the_end(settings, folder):
    """Seconds that it took."""
    begin = time.monotonic()
    check(start(settings, folder).wait(), folder)
    return time.monotonic() - begin


def check(status, folder):
    if status:
        sys.exit(f"The run failed by itself:\n{(folder / 'errors.txt').read_text()}")


def progress(folder):
    file = folder / "progress.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return lines[-1] if lines else "starting"


def half_written(folder):
    return set(folder.glob("backups/*.tmp"))


def wait_for_saving(run, folder, before):
    while run.poll() is None and not half_written(folder) - before:
        time.sleep(0.0005)


def differences(folder, other):
    """Names of the numbers that are not the same in all their bits."""
    import numpy as np

    with np.load(folder / "result.npz") as a, np.load(other / "result.npz") as b:
        different = set(a.files) ^ set(b.files)
        for name in set(a.files) & set(b.files):
            x, y = a[name], b[name]
            if (x.dtype, x.shape, x.tobytes()) != (y.dtype, y.shape, y.tobytes()):
                different.add(name)
        return sorted(different), len(a.files)


def compare(what, folder, undisturbed):
    different, total = differences(folder, undisturbed)
    verdict = f"{total} numbers and arrays equal"
    if different:
        verdict = f"{len(different)} of {total} differ: {', '.join(different[:5])} ..."
    print(f"{what}: {verdict}", flush=True)
    return not different


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    backends = ("tensorflow", "jax", "torch")
    add("--backend", choices=backends, default=os.environ.get("KERAS_BACKEND", "tensorflow"))
    add(
        "--model", choices=MODELS, default="info_gan", help="what is trained (default: %(default)s)"
    )
    add("--kills", type=int, default=20, help="how many (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    add(
        "--callbacks",
        choices=("rate", "remembering"),
        default="rate",
        help="what trains along: a learning rate by schedule, or what remembers (default: rate)",
    )
    add(
        "--save-freq",
        default=str(SAVE_FREQ),
        help='batches from backup to backup, or "epoch" (default: %(default)s)',
    )
    add("--steps-per-epoch", type=int, default=STEPS_PER_EPOCH, help="(default: %(default)s)")
    add("--at-batches", action="store_true", help="kill at random batches, not at random times")
    add("--die-after", type=int, default=0, help=argparse.SUPPRESS)
    add("--two", action="store_true", help="start a second process on one folder; no kills")
    add("--work", type=pathlib.Path, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.work:
        work(settings)
        return
    if settings.kills < 1:
        parser.error("--kills must be positive")

    rng = random.Random(settings.seed)
    root = pathlib.Path(tempfile.mkdtemp(prefix="kill_and_resume_"))
    try:
        equal = two(settings, root) if settings.two else kill_and_resume(settings, root, rng)
        sys.exit(0 if equal else 1)
    finally:
        shutil.rmtree(root)


def two(settings, root):
    """Whether a second process was refused, and the first went on as if there had been none."""
    undisturbed, folder = root / "undisturbed", root / "run"
    run_to_the_end(settings, undisturbed)
    first = start(settings, folder)
    while not list(folder.glob("backups/backup-*[0-9]")) and first.poll() is None:
        time.sleep(0.01)
    second = subprocess.run(
        [*first.args],
        env={**os.environ, "KERAS_BACKEND": settings.backend},
        capture_output=True,
        text=True,
    )
    in_time = first.poll() is None
    error = second.stderr.strip().splitlines()[-1] if second.stderr else "no error"
    print(f"{settings.backend}: the second ended with {second.returncode}: {error}", flush=True)
    print(f"the first, process {first.pid}, was still training: {in_time}")
    check(first.wait(), folder)
    refused = second.returncode != 0 and f"in use by process {first.pid} on" in error
    return compare("the first", folder, undisturbed) and refused and in_time


def kill_and_resume(settings, root, rng):
    """Whether all the runs that got to their end were equal to the undisturbed one."""
    undisturbed = root / "undisturbed"
    seconds = run_to_the_end(settings, undisturbed)
    print(
        f"{settings.backend}, {settings.model}, callbacks: {settings.callbacks}, backup each "
        f"{settings.save_freq}: undisturbed in {seconds:.1f} s",
        flush=True,
    )
    equal, kills, saving, runs = True, 0, 0, 1
    folder = root / "run_1"
    while kills < settings.kills:
        whole = not folder.exists()
        moment = rng.uniform(0, seconds)
        before = half_written(folder)
        begin = time.monotonic()
        batches = rng.randint(1, 6 * settings.steps_per_epoch) if settings.at_batches else 0
        run = start(settings, folder, batches)
        try:
            status = run.wait(None if settings.at_batches else moment)
            if status == -signal.SIGKILL and batches:
                raise subprocess.TimeoutExpired(run.args, time.monotonic() - begin)
            check(status, folder)
        except subprocess.TimeoutExpired:
            if kills % 4 == 3 and not batches:
                wait_for_saving(run, folder, before)
            run.kill()
            run.wait()
            kills += 1
            half = bool(half_written(folder) - before)
            saving += half
            note = ", while saving" if half else ""
            when = time.monotonic() - begin
            print(f"kill {kills:3d}  run {runs}  {when:5.1f} s  {progress(folder)}{note}")
            sys.stdout.flush()
        else:
            if whole:  # On a machine that has become faster since.
                seconds = min(seconds, time.monotonic() - begin)
            equal &= compare(f"run {runs}", folder, undisturbed)
            runs += 1
            folder = root / f"run_{runs}"
    run_to_the_end(settings, folder)
    equal &= compare(f"run {runs}", folder, undisturbed)
    again = run_to_the_end(settings, folder)
    equal &= compare(
        f"run {runs}, started again once finished ({again:.1f} s)", folder, undisturbed
    )
    outcome = {"kills": kills, "while saving": saving, "runs": runs, "equal": equal}
    print(json.dumps(outcome), flush=True)
    return equal


if __name__ == "__main__":
    main()
