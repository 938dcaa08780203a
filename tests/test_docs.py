"""What the README and the pages under docs/ tell people to write runs, but for the sizes."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_disentangle as kd

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md"]
PAGES += [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*PAGES, "CHANGELOG.md"]
# A tutorial that needs an extra is run by what makes the site, and here, at a smaller size.
PAGES.append("docs/tutorials/tuning.md")
# The packages that pages need besides those of the tests.
EXTRAS = {
    "docs/trackers.md": ("mlflow", "wandb"),
    "docs/tutorials/tuning.md": ("optuna",),
}
TEXTS += [f"applications/{path.parent.name}/README.md" for path in ROOT.glob("applications/*/*.md")]

# What makes each page quick: texts that stand there once, and what is run in their place.
CHANGES = {
    "README.md": [
        ("seed=0, steps_per_epoch=400", "seed=0, steps_per_epoch=1"),
        ("data.batches(100", "data.batches(8"),
        ("epochs=30,", "epochs=3, verbose=0,"),
        ("epochs_per_stage=10, fade_steps=1000", "epochs_per_stage=1, fade_steps=1"),
        ("kd.evaluate(model, data)", "kd.evaluate(model, data, num_samples=100, num_votes=10)"),
        ("128, seed=0), epochs=5)", "32, seed=0), epochs=1, verbose=0)"),
        ("steps=1000, epochs=4", "steps=2, epochs=1, verbose=0"),
    ],
    "docs/datasets.md": [("images, 128, seed=0)", "images, 32, seed=0)")],
    "docs/directions.md": [("steps=1000, epochs=4", "steps=2, epochs=2, verbose=0")],
    "docs/discriminative.md": [
        ("labels, epochs=8", "labels, epochs=1, batch_size=32, verbose=0"),
        ("100, seed=0), epochs=8", "32, seed=0), epochs=1, verbose=0"),
        ("images[:1000] / 255.0", "images[:8] / 255.0, num_samples=4"),
    ],
    "docs/models.md": [
        ("128, seed=0), epochs=5)", "32, seed=0), epochs=1, verbose=0)"),
        ("batches, epochs=5", "batches, epochs=2, verbose=0"),
        ("64, seed=0, labels=labels), epochs=1", "32, seed=0, labels=labels), epochs=1, verbose=0"),
        ("images / 255.0, callbacks", "images / 255.0, verbose=0, callbacks"),
        ("num_changed=1, steps_per_epoch=100)", "num_changed=1, steps_per_epoch=1), verbose=0"),
        ('fixed="shape", steps_per_epoch=100)', 'fixed="shape", steps_per_epoch=1), verbose=0'),
    ],
    "docs/tables.md": [
        ("size=(4000, 3)", "size=(200, 3)"),
        ("epochs=20)", "epochs=1, verbose=0)"),
    ],
    "docs/distribution.md": [
        ('torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))', ""),
        (
            'group("nccl")',
            'group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)',
        ),
        ("keras.distribution.set_distribution(keras.distribution.DataParallel())", ""),
        ("with tf.distribute.MirroredStrategy().scope():", "if True:"),
        ("batch_size=32, epochs=10", "batch_size=32, epochs=1, verbose=0"),
        ("batch_size=64)  # 32", "batch_size=32, verbose=0)  # 32"),
        ("batch_size=64)\n", "batch_size=32, verbose=0)\n"),
    ],
    "docs/tutorials/tuning.md": [
        ("size=(2000, 3)", "size=(100, 3)"),
        ("NUM_TRIALS, SEEDS, EPOCHS = 6, (0, 1, 2), 8", "NUM_TRIALS, SEEDS, EPOCHS = 2, (0, 1), 1"),
        ("num_samples=2000", "num_samples=100"),
    ],
    "docs/penalties.md": [("model.fit(images,", "model.fit(images, verbose=0,")],
    "docs/streaming.md": [
        ("(64, 64, 3), batch_size=64", "(64, 64, 3), batch_size=4"),
        ("epochs=10, callbacks", "epochs=1, verbose=0, callbacks"),
        ("(64, 64, 3), 64, seed=0, skip", "(64, 64, 3), 4, seed=0, skip"),
        ("(64, 64, 3), 64, seed=0, shard", "(64, 64, 3), 4, seed=0, shard"),
        ("torch.rand(256", "torch.rand(8"),
        ("rng.random((64, 64, 64, 3)", "rng.random((2, 64, 64, 3)"),
        ("steps_per_epoch=4, ", "steps_per_epoch=1, "),
        ("default_rng(i).random((64,", "default_rng(i).random((2,"),
    ],
}
# Blocks that end in an error where a file is missing.
MISSING = {"docs/discriminative.md": {'"vgg16.weights.h5"': "vgg16.weights.h5"}}
# What is to come of it.
EXPECTED = {
    "README.md": {"int(keras.models.load_model('model.keras').step)": 3, "mean.shape[1]": 10},
    "docs/datasets.md": {"images.dtype.name": "uint8", "len(batches)": 2},
    "docs/directions.md": {
        "tuple(images.shape)": (6, 4, 4, 1),
        "__import__('os').path.exists('logs/pictures/directions.gif')": True,
    },
    "docs/discriminative.md": {"tuple(paths.shape)": (4, 8, 28, 28, 1)},
    "docs/distribution.md": {
        "int(model.step)": 1,
        "torch.distributed.destroy_process_group()": None,
    },
    "docs/models.md": {
        "int(model.step)": 2,
        "float(model.ramps['sparsity'](400))": np.float32(0.1),
    },
    "docs/penalties.md": {"'hessian_weight' in model.ramps": True, "float(loss) > 0": True},
    "docs/streaming.md": {"int(model.step)": 10, "part[0][0].shape[0]": 2, "len(batches)": 2},
    "docs/tables.md": {"tuple(codes.shape)": (200, 4), "tuple(new.shape)": (5, 30)},
    "docs/trackers.md": {"int(model.step)": 6},
    "docs/training.md": {"int(model.step)": 56},
    "docs/tutorials/tuning.md": {"len(study.trials)": 2, "0 <= study.best_value <= 1": True},
}


def blocks(page, language="python"):
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    whole = "\0".join(found)
    for old, new in CHANGES.get(page, ()) if language == "python" else ():
        assert whole.count(old) == 1, (page, old)
        whole = whole.replace(old, new)
    return whole.split("\0") if whole else []


def names():
    """What pages may use without making it."""
    rng = np.random.default_rng(0)
    hidden = [keras.layers.Dense(6, "tanh", name=f"norm_{i}") for i in (1, 2)]
    image = [keras.layers.Dense(16, "sigmoid"), keras.layers.Reshape((4, 4, 1))]
    factors = rng.integers(0, 4, size=(120, 2))
    return {
        "kd": kd,
        "keras": keras,
        "np": np,
        "generator": keras.Sequential([keras.Input((3,)), *hidden, *image]),
        "discriminator": keras.Sequential(
            [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
        ),
        "encoder": keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()]),
        "decoder": keras.Sequential(
            [keras.Input((8,)), keras.layers.Dense(16), keras.layers.Reshape((4, 4, 1))]
        ),
        "images": rng.random((32, 4, 4, 1), "float32"),
        "z": rng.standard_normal((4, 3)).astype("float32"),
        "loss": 0.0,
        "weight": 0.1,
        "factors": factors,
        "codes": factors + rng.normal(0, 0.1, factors.shape),
    }


@pytest.fixture
def small_data(monkeypatch, tmp_path):
    """Named data sets that are small and random; files go into a folder of the test's."""
    images = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 1), dtype="uint8")
    labels = np.arange(64) % 10
    monkeypatch.setattr(kd.datasets, "load_images", lambda name, data_dir=None: (images, labels))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(images[:8]):
        kd.visualization.save_png(f"photos/{i}.png", image)


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.extra(*EXTRAS[page]) if page in EXTRAS else ())
        for page in PAGES
    ],
)
def test_a_page_runs(page, small_data):
    known = names()
    for block in blocks(page):
        code = compile(block, page, "exec")
        missing = [file for text, file in MISSING.get(page, {}).items() if text in block]
        if missing:
            with pytest.raises(ValueError, match=missing[0]):
                exec(code, known)
        else:
            exec(code, known)
    for model in known.values():
        for name, values in getattr(getattr(model, "history", None), "history", {}).items():
            assert np.isfinite(values).all(), name
    for value, expected in EXPECTED.get(page, {}).items():
        assert eval(value, known) == expected, value


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page):
    folder = (ROOT / page).parent
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (folder / target).exists(), target
