"""What the README tells people to write runs as it stands, but for the number of steps."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_disentangle as kd

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.one_backend
def test_a_gan_of_ones_own(data_dir, tmp_path, capsys):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    example, *others = (block for block in blocks if "kd.models.InfoGAN(\n" in block)
    assert not others
    lines = [line for line in example.splitlines() if line.strip()]
    assert len(lines) <= 40
    for old, new in (
        ('data_dir="data"', f"data_dir={str(data_dir)!r}"),
        ('ExactBackup("backup")', f"ExactBackup({str(tmp_path)!r})"),
        ("seed=0)", "seed=0, steps_per_epoch=4)"),
        ("epochs=5", "epochs=2, verbose=0"),
    ):
        assert example.count(old) == 1, old
        example = example.replace(old, new)
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    model = names["model"]
    assert int(model.step) == 8
    for name, values in model.history.history.items():
        assert len(values) == 2 and np.isfinite(values).all(), name
    assert "accuracy" in capsys.readouterr().out

    (third_phase,) = (block for block in blocks if "class SlowQ" in block)
    exec(compile(third_phase, "README.md", "exec"), names)
    history = names["model"].fit(names["images"][:64] / 255.0, batch_size=32, verbose=0).history
    assert np.isfinite(history["information_categorical"]).all()


def test_directions_of_a_trained_generator(tmp_path):
    (example,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        if "DirectionDiscovery(generator, seed" in block
    )
    for old, new in (
        ("steps=1000, epochs=4", "steps=2, epochs=2, verbose=0"),
        ('"logs"', repr(str(tmp_path))),
    ):
        assert example.count(old) == 1, old
        example = example.replace(old, new)
    generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(16, "sigmoid")])
    generator.add(keras.layers.Reshape((4, 4, 1)))
    names = {"kd": kd, "generator": generator}
    exec(compile(example, "README.md", "exec"), names)
    assert tuple(names["images"].shape) == (6, 4, 4, 1)
    assert (tmp_path / "pictures" / "directions.gif").exists()


def test_discriminative_regularisation(monkeypatch, capsys):
    (example,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        if "DiscriminativeVAE(encoder" in block
    )
    for old, new in (
        ("labels, epochs=8", "labels, epochs=1, batch_size=32, verbose=0"),
        ("100, seed=0), epochs=8", "32, seed=0), epochs=1, verbose=0"),
        ("images[:1000] / 255.0", "images[:8] / 255.0, num_samples=4"),
    ):
        assert example.count(old) == 1, old
        example = example.replace(old, new)
    images = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 1), dtype="uint8")
    monkeypatch.setattr(
        kd.datasets, "load_images", lambda name, data_dir: (images, np.arange(64) % 10)
    )
    flat = [keras.layers.Flatten(), keras.layers.Dense(4)]
    decoder = [keras.layers.Dense(784), keras.layers.Reshape((28, 28, 1))]
    names = {
        "kd": kd,
        "keras": keras,
        "encoder": keras.Sequential([keras.Input((28, 28, 1)), *flat]),
        "decoder": keras.Sequential([keras.Input((2,)), *decoder]),
    }
    exec(compile(example, "README.md", "exec"), names)
    assert tuple(names["ways"].shape) == (4, 8, 28, 28, 1)
    assert "nll" in capsys.readouterr().out


def test_measuring(capsys):
    (example,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        if "kd.evaluate(encoder" in block
    )
    assert example.count("num_resamples=50") == 1
    example = example.replace("num_resamples=50", "num_resamples=3")
    example = example.replace("sap, codes, factors)", "sap, codes, factors, num_resamples=3)")
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, size=(120, 2))
    images = np.repeat(factors / 3, 8, axis=1).reshape(120, 4, 4, 1)
    encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    names = {"kd": kd, "encoder": encoder, "images": images, "factors": factors}
    exec(compile(example, "README.md", "exec"), names)
    assert set(names["scores"]) >= {"mig", "dci_completeness", "sap", "intervals"}
    assert len(capsys.readouterr().out.splitlines()) == 3


def block_with(text, *changes):
    """The one Python block that has the text, with what makes it quick."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (example,) = (block for block in blocks if text in block)
    for old, new in changes:
        assert example.count(old) == 1, old
        example = example.replace(old, new)
    return compile(example, "README.md", "exec")


@pytest.mark.one_backend
def test_training_on_rendered_images(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example = block_with(
        "data = kd.datasets.DSprites(image_size=32)",
        (
            "data.batches(100, seed=0, steps_per_epoch=400)",
            "data.batches(8, seed=0, steps_per_epoch=1)",
        ),
        ("epochs=30", "epochs=3, verbose=0"),
        ("epochs_per_stage=10, fade_steps=1000", "epochs_per_stage=1, fade_steps=1"),
        ("kd.evaluate(model, data)", "kd.evaluate(model, data, num_samples=100, num_votes=10)"),
    )
    names = {}
    exec(example, names)
    assert "mig_sup" in capsys.readouterr().out
    assert int(keras.models.load_model("model.keras").step) == 3


def test_ones_own_networks(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (128, 28, 28, 1), dtype="uint8")
    monkeypatch.setattr(kd.datasets, "load_images", lambda name, data_dir: (images, None))
    names = {"kd": kd, "keras": keras}
    vae = "kd.models.VAE(encoder, decoder, beta=4.0)"
    exec(block_with(vae, ("epochs=5", "epochs=1, verbose=0")), names)
    assert tuple(names["mean"].shape) == (100, 10)

    exec(block_with("class Sparse", ("images / 255.0,", "images / 255.0, verbose=0,")), names)
    model = names["model"]
    assert int(model.step) == 4
    assert float(model.ramps["sparsity"](400)) == pytest.approx(0.1)


@pytest.mark.one_backend
def test_the_hessian_penalty():
    layers = (keras.layers.Dense(6, "tanh", name=f"norm_{i}") for i in (1, 2))
    image = [keras.layers.Dense(16, "sigmoid"), keras.layers.Reshape((4, 4, 1))]
    generator = keras.Sequential([keras.Input((3,)), *layers, *image])
    discriminator = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    rng = np.random.default_rng(0)
    names = {"kd": kd, "keras": keras, "generator": generator, "discriminator": discriminator}
    names |= {"images": rng.random((32, 4, 4, 1), "float32"), "loss": 0.0, "weight": 0.1}
    names["z"] = rng.standard_normal((4, 3), "float32")
    exec(block_with("loss = loss + weight * penalty(z)"), names)
    assert float(names["loss"]) > 0

    exec(block_with('hessian_penalty={"outputs"', ("fit(images,", "fit(images, verbose=0,")), names)
    assert int(names["model"].step) == 1
    exec(block_with('ProgressiveGAN(weights="clevr_1fov", hessian_penalty={})'), names)
    assert names["model"].ramps.keys() >= {"hessian_weight"}


def test_the_features_of_a_published_network():
    with pytest.raises(ValueError, match="vgg16.weights.h5"):  # which nobody has here
        exec(block_with("FeatureNetwork.from_applications"), {"kd": kd})
