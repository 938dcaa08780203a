"""Data of one's own under a recipe that was written for other data."""

import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from keras_disentangle.applications._shared import commands, training
from keras_disentangle.applications._shared.data import announce, skipping_damaged, spread
from keras_disentangle.applications.discriminative_vae.application import (
    APPLICATION as DISCRIMINATIVE_VAE,
)
from keras_disentangle.applications.info_gan.application import APPLICATION as INFO_GAN
from keras_disentangle.applications.progressive_gan.application import (
    APPLICATION as PROGRESSIVE_GAN,
)
from keras_disentangle.applications.provlae.application import APPLICATION as PROVLAE
from keras_disentangle.applications.provlae.recipes import RECIPES


class Command:
    """`train` of an application."""

    def __init__(self, application):
        self.application = application

    def main(self, arguments):
        commands.train(self.application, arguments)


info_gan, progressive_gan = Command(INFO_GAN), Command(PROGRESSIVE_GAN)
discriminative_vae, provlae = Command(DISCRIMINATIVE_VAE), Command(PROVLAE)
FIXED = {
    "info_gan": (info_gan, "recipe", "svhn"),
    "progressive_gan": (progressive_gan, "recipe", "paper_scratch"),
    "discriminative_vae": (discriminative_vae, "recipe", "celeb_a"),
}


class Reached(Exception):
    """A training would begin now, by the recipe `args[0]`."""


@pytest.fixture(autouse=True)
def no_training(monkeypatch):
    def train(recipe, *_, **__):
        raise Reached(recipe)

    monkeypatch.setattr(training, "train", lambda _, recipe, *args, **more: train(recipe))


def photos(folder, sizes=((96, 80),) * 3, mode="RGB", suffix="jpg"):
    """A folder of photos of (width, height)."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i, (width, height) in enumerate(sizes):
        pixels = rng.integers(0, 256, (height, width, *((3,) if mode == "RGB" else ()))).astype(
            "u1"
        )
        Image.fromarray(pixels, mode).save(folder / f"{i}.{suffix}")
    return str(folder)


def recipe_of(main, *arguments):
    with pytest.raises(Reached) as reached:
        main(list(arguments))
    return reached.value.args[0]


def test_provlae_takes_size_and_colours_of_the_data(tmp_path, capsys):
    data = photos(tmp_path / "photos")
    recipe = recipe_of(provlae.main, "--data", data)
    assert recipe.image_shape == (80, 96, 3) and recipe.data == data
    assert f"{data}: trained on as images of 80×96×3" in capsys.readouterr().out
    # All else is the recipe's.
    assert recipe == replace(RECIPES["demo"], data=data, image_shape=(80, 96, 3))
    assert recipe_of(provlae.main, "--data", data, "--image-size", "32").image_shape == (32, 32, 3)
    grey = photos(tmp_path / "grey", mode="L", suffix="png")
    assert recipe_of(provlae.main, "--data", grey).image_shape == (80, 96, 1)
    assert recipe_of(provlae.main, "--data", grey, "--image-size", "64").image_shape == (64, 64, 1)


def test_a_comparison_takes_size_and_colours_of_the_data(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 20, 24, 3)).astype("uint8")
    np.savez(tmp_path / "mine.npz", images=images, factors=np.arange(6)[:, None])
    arguments = ("--data", str(tmp_path / "mine.npz"), "--out", str(tmp_path / "out"))
    assert recipe_of(partial(commands.compare, PROVLAE), *arguments).image_shape == (20, 24, 3)


def test_a_recipe_of_its_own_data_stays_as_it_is():
    assert recipe_of(provlae.main) == RECIPES["demo"]
    arguments = ("--recipe", "celeb_a", "--data", "celeb_a")
    assert recipe_of(provlae.main, *arguments) == RECIPES["celeb_a"]
    # What is drawn has any size, and its own colours.
    assert recipe_of(provlae.main, "--data", "shapes3d").image_shape == (32, 32, 3)
    assert recipe_of(provlae.main, "--image-size", "16").image_shape == (16, 16, 1)


@pytest.mark.parametrize("suffix", ["", ".zip"])
def test_large_photos_and_photos_of_several_sizes_need_a_size(tmp_path, suffix):
    def packed(folder):
        if not suffix:
            return folder
        return shutil.make_archive(folder, "zip", folder)

    mixed = packed(photos(tmp_path / "mixed", sizes=((40, 30), (30, 40), (20, 20))))
    large = packed(photos(tmp_path / "large", sizes=((300, 200),)))
    for data, found in ((mixed, "several sizes"), (large, "200×300×3")):
        with pytest.raises(ValueError, match=f"`image_size` must be given .*{found}"):
            provlae.main(["--data", data])
        recipe = recipe_of(provlae.main, "--data", data, "--image-size", "16")
        assert recipe.image_shape == (16, 16, 3)


@pytest.mark.parametrize("name", FIXED)
def test_networks_of_one_size_do_not_take_other_data_by_default(name, tmp_path, capsys):
    module, argument, choice = FIXED[name]
    data = photos(tmp_path / "photos")
    with pytest.raises(ValueError, match=f"`{argument}` must be given .*{choice}.*80×96×3"):
        module.main(["--data", data])
    recipe = recipe_of(module.main, "--data", data, f"--{argument}", choice)
    assert recipe.data == data
    printed = capsys.readouterr().out
    assert f"{data}: images of 80×96×3, taken as " in printed and "scaled" in printed


@pytest.mark.parametrize("name", [*FIXED, "provlae"])
def test_damaged_photos_are_counted_and_left_out_if_asked(name, tmp_path):
    data = photos(tmp_path / "photos")
    (tmp_path / "photos" / "3.jpg").write_bytes(b"no photo")
    module, argument, choice = {**FIXED, "provlae": (provlae, "image-size", "16")}[name]
    words = ("--data", data, f"--{argument}", choice)
    with pytest.raises(ValueError, match=r"3\.jpg is not .*1 of 4 .*--skip-damaged"):
        module.main(list(words))
    with pytest.warns(UserWarning, match="left out 1 of 4 files: 3.jpg"):
        recipe = recipe_of(module.main, *words, "--skip-damaged")
    with pytest.raises(ValueError, match="--skip-damaged"):
        module.application.data(recipe, None)
    with skipping_damaged(True), pytest.warns(UserWarning, match="left out 1 of 4") as told:
        found = module.application.data(recipe, None)
    if isinstance(found, dict):
        found = found["train"]
    assert len(found[0] if isinstance(found, tuple) else found) in (1, 3)
    # Once for each place that tells of it: a Python that is not tested gives it once.
    assert len({(str(one.message), one.filename, one.lineno) for one in told}) == 1


def test_data_of_the_default_shape_need_no_word(tmp_path, capsys):
    grey = photos(tmp_path / "digits", sizes=((28, 28),) * 3, mode="L", suffix="png")
    for module in (info_gan, discriminative_vae):
        assert recipe_of(module.main, "--data", grey).data == grey
        assert "images of 28×28×1, taken as 28×28×1\n" in capsys.readouterr().out
    colour = photos(tmp_path / "colour", sizes=((28, 28),) * 3)
    assert recipe_of(info_gan.main, "--data", colour, "--recipe", "mnist").data == colour
    assert "images of 28×28×3, taken as 28×28×1, turned grey" in capsys.readouterr().out
    assert recipe_of(progressive_gan.main, "--data", "clevr_simple").data == "clevr_simple"


def test_examples_are_spread_over_sorted_images():
    images = np.arange(101, dtype="uint8")[:, None, None, None]
    for number, expected in ((5, [0, 25, 50, 75, 100]), (1, [0]), (101, range(101))):
        np.testing.assert_array_equal(spread(images, number).ravel(), expected)
    np.testing.assert_array_equal(spread(images[:3], 16), images[:3])


def test_a_trained_model_says_what_becomes_of_other_images(tmp_path, capsys):
    data = photos(tmp_path / "photos")
    announce(data, (80, 96, 3))
    announce("dsprites", (32, 32, 1))
    announce("mnist", (28, 28, 1))
    assert not capsys.readouterr().out
    announce(data, (32, 32, 1))
    assert "taken as 32×32×1, cropped around the centre" in (printed := capsys.readouterr().out)
    assert "turned grey" in printed
    announce("mnist", (28, 28, 3))
    assert "28×28×1, taken as 28×28×3, grey repeated as colour" in capsys.readouterr().out
