import copy
import io
import pickle

import numpy as np
import pytest
from PIL import Image

from keras_disentangle import visualization
from keras_disentangle.visualization import Picture, image_grid, save_png

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype="uint8")


def test_a_picture_shows_itself(tmp_path):
    picture = image_grid(IMAGES, 3, height=1)
    assert isinstance(picture, Picture) and isinstance(picture, np.ndarray)
    shown = Image.open(io.BytesIO(picture._repr_png_()))
    np.testing.assert_array_equal(np.asarray(shown), picture)
    assert repr(picture) == "<Picture of 19 × 28 pixels, 3 channels>"
    save_png(tmp_path / "grid.png", picture)
    assert (tmp_path / "grid.png").read_bytes() == picture._repr_png_()


def test_a_picture_is_an_array_in_all_else():
    picture = image_grid(IMAGES, 3)
    plain = np.asarray(picture)
    assert type(plain) is np.ndarray
    # What is computed from it is no picture any more, a number a number.
    for result in (picture / 255, picture == plain, picture.astype("float32") + 1):
        assert type(result) is np.ndarray
    assert type(picture.max()) is np.uint8 and type(picture.mean()) is np.float64
    assert (picture == plain).all() and picture.sum() == plain.sum()
    # Parts of it are shown where they are pictures.
    assert picture[2:9, 3:]._repr_png_() is not None
    for part in (picture[..., 0], picture[0, 0, 0], picture[:0], picture.astype("float32")):
        assert not isinstance(part, Picture) or part._repr_png_() is None
        assert "Picture" not in repr(part)
    for copied in (copy.deepcopy(picture), pickle.loads(pickle.dumps(picture)), picture.copy()):
        assert isinstance(copied, Picture)
        np.testing.assert_array_equal(copied, plain)


def decode(z):
    return np.broadcast_to(z[:, :1, None, None] / 20 + 0.5, (len(z), 8, 8, 1))


@pytest.mark.parametrize(
    "draw",
    [
        lambda v: v.latent_traversal(decode, np.zeros(2)),
        lambda v: v.latent_grid(decode, np.zeros(2)),
        lambda v: v.traversal_frames(decode, np.zeros(2))[0],
        lambda v: v.rung_samples(decode, np.zeros(2)),
        lambda v: v.direction_traversal(decode, np.zeros(2), np.eye(2)),
        lambda v: v.direction_frames(decode, np.zeros(2), np.eye(2))[0],
        lambda v: v.components_by_activeness(decode, np.zeros(2), np.ones(2)),
        lambda v: v.reconstruction_grid(IMAGES, IMAGES),
        lambda v: v.hessian_grid(np.ones((1, 2, 2))),
        lambda v: v.penalty_heatmap(np.ones((4, 4)), scale_bar=False),
        lambda v: v.penalty_heatmap(np.ones((4, 4))),
        lambda v: v.training_curves({"a": ([1, 2], [1, 2])}),
        lambda v: v.activeness_bars({"a": [1, 2]}),
        lambda v: v.score_points({"a": {"1": (1, 2)}}, x_label="x", y_label="y"),
        lambda v: v.information_matrix(np.ones((2, 2)), ["a", "b"]),
        lambda v: v.information_flow([{"total": 1.0, "rungs": [1.0]}]),
    ],
)
def test_all_pictures_show_themselves(draw):
    picture = draw(visualization)
    assert isinstance(picture, Picture) and picture._repr_png_() is not None
