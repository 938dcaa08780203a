import os

import numpy as np
import pytest
from PIL import Image, ImageSequence

from keras_disentangle.visualization import save_gif, save_png


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_gives_the_same_pixels_back(tmp_path, channels):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype="uint8")
    path = tmp_path / "new" / "image.png"
    save_png(path, image)
    save_png(path, image)  # over an old file
    np.testing.assert_array_equal(np.asarray(Image.open(path)).reshape(image.shape), image)
    assert os.listdir(path.parent) == ["image.png"]


def test_gif_has_every_frame_and_repeats(tmp_path):
    frames = [np.full((6, 8, 3), 40 * index, "uint8") for index in range(5)]
    save_gif(tmp_path / "frames.gif", frames, duration=50)
    gif = Image.open(tmp_path / "frames.gif")
    assert gif.n_frames == 5 and gif.info["loop"] == 0 and gif.info["duration"] == 50
    for frame, saved in zip(frames, ImageSequence.Iterator(gif), strict=True):
        np.testing.assert_allclose(np.asarray(saved.convert("RGB")), frame, atol=3)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "image.png"
    save_png(path, np.zeros((2, 2, 1), "uint8"))
    old = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_png(path, np.ones((2, 2, 1), "uint8"))
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["image.png"]


def test_bad_input_is_named_and_nothing_written(tmp_path):
    with pytest.raises(ValueError, match="`image` must be uint8.*float64"):
        save_png(tmp_path / "image.png", np.zeros((2, 2, 1)))
    pixels = np.zeros((2, 2, 1), "uint8")
    for save, content in ((save_png, pixels), (save_gif, [pixels])):
        with pytest.raises(ValueError, match="`path` must be a path. Received: path=1.5"):
            save(1.5, content)
    with pytest.raises(ValueError, match="`frames` must be one or more"):
        save_gif(tmp_path / "none.gif", [])
    with pytest.raises(ValueError, match=r"one shape.*\(2, 2, 1\), \(3, 2, 1\)"):
        save_gif(tmp_path / "two.gif", [np.zeros((n, 2, 1), "uint8") for n in (2, 3)])
    assert not os.listdir(tmp_path)
