import numpy as np
import pytest

from keras_disentangle.metrics import factor_vae


class Dataset:
    """Images of three pixels, each 50 times a factor."""

    factor_sizes = (3, 4, 5)

    def __len__(self):
        return 60

    def index(self, factors):
        return np.ravel_multi_index(factors.T, self.factor_sizes)

    def images(self, index):
        factors = np.stack(np.unravel_index(index, self.factor_sizes), axis=-1)
        return (50 * factors).astype(np.uint8)[:, None, None, :]


def factors_of(images):
    assert images.dtype == np.float32 and images.max() <= 1
    return images.reshape(len(images), 3) * (255 / 50)


def score(encode, **arguments):
    numbers = {"num_train": 400, "num_eval": 400, "batch_size": 16, "num_variance": 1000}
    return factor_vae(encode, Dataset(), **(numbers | arguments))


def test_one_factor_a_dimension_is_always_named():
    assert score(lambda images: factors_of(images)[:, [2, 0, 1]] * [1, -5, 0.3]) == 1


def test_dimensions_of_no_use_are_left_out():
    def encode(images):
        factors = factors_of(images)
        return np.concatenate([factors, 0.01 * factors[:, :1], 0 * factors], axis=1)

    assert score(encode) == 1


@pytest.mark.parametrize("threshold", [0.05, 0])
def test_all_dimensions_of_no_use(threshold):
    assert score(lambda images: np.ones((len(images), 2)), threshold=threshold) == 0


def test_variances_are_relative_to_those_over_the_data():
    def encode(images):
        factors = factors_of(images)
        noise = 0.2 * np.sin(37 * factors @ [[1, 2, 3], [7, 5, 1], [4, 9, 6]])
        return (factors + noise) * [1, 100, 10]

    assert score(encode) > 0.95


def test_threshold_is_a_standard_deviation():
    # The deviation of the second factor, from 0 to 3, is 1.118 and its variance 1.25.
    encode = lambda images: factors_of(images)[:, 1:2]  # noqa: E731
    assert score(encode, threshold=1.2) == 0 < score(encode, threshold=1.0)


def test_merged_factors_are_confused():
    # One dimension for two of the three factors: one of them is never named.
    merged = score(lambda images: factors_of(images) @ [[4, 0], [1, 0], [0, 1]])
    assert 0.5 < merged < 0.8


def test_published_value(published):
    def encode(images):
        a, b, c = factors_of(images).T
        return np.stack([a + b, b - c, 0.01 * a], axis=1)

    numbers = {"num_train": 3000, "num_eval": 3000, "num_variance": 5000}
    ours = np.mean([score(encode, seed=seed, **numbers) for seed in range(4)])
    # The seeds of the two are not comparable. Four standard errors of the difference.
    assert ours == pytest.approx(published["disentanglement_lib"]["factor_vae"], abs=0.02)


def test_images_are_encoded_once_and_in_batches():
    seen = []

    def encode(images):
        seen.append(len(images))
        return factors_of(images)

    score(encode, encode_batch=25)
    assert seen == [25, 25, 10]
