"""Runs on images that are read while training, interrupted in the midst of an epoch."""

import pytest
from backup_runs import assert_goes_on, vae
from PIL import Image
from tiny_networks import IMAGE_SHAPE, IMAGES

from keras_disentangle.callbacks._backup_settings import _data
from keras_disentangle.datasets import stream_images

pytest.importorskip("grain")


@pytest.fixture
def stream(tmp_path):
    for i, image in enumerate(IMAGES):
        Image.fromarray((image[..., 0] * 255).astype("uint8")).save(tmp_path / f"{i:02}.png")
    return lambda **settings: stream_images(tmp_path, IMAGE_SHAPE, 4, seed=0, **settings)


def test_a_stream_goes_on_in_the_midst_of_an_epoch(stream, tmp_path):
    skipped = []

    def data():
        batches = stream()
        skip_to = batches.skip_to
        batches.skip_to = lambda batch: (skipped.append(batch), skip_to(batch))
        return batches

    interruptions = [(0, 2), (1, 1), (2, 3)]
    settings = {"build": vae, "data": data, "save_freq": 1}
    assert_goes_on(tmp_path / "backups", interruptions, **settings)
    assert skipped == [2, 1, 3]


def test_the_parts_of_a_stream_are_one_run(stream, tmp_path):
    """The first of several processes writes the backups, with the settings of its own part."""
    runs = [_data(stream(shard=(i, 2))) for i in range(2)]
    assert runs[0] == runs[1]
    assert runs[0] == {**_data(stream()), "class": "ImageStream"}
    other = stream_images(tmp_path, IMAGE_SHAPE, 4, seed=1)
    assert runs[0]["first batch"] != _data(other)["first batch"]
