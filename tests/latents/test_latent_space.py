import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from keras import ops

from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform


def make_space():
    return LatentSpace(
        [Normal(3), Categorical(4), Uniform(2, 0, 2), Categorical(2, name="style"), Uniform(1)]
    )


SPACE = make_space()
DRAWS = ops.convert_to_numpy(SPACE.sample(500, seed=0))


def numbers(tensors):
    return {name: ops.convert_to_numpy(tensor) for name, tensor in tensors.items()}


def test_attributes():
    assert SPACE.names == ("normal", "categorical", "uniform_1", "style", "uniform_2")
    assert tuple(code.name for code in SPACE.codes) == SPACE.names
    assert tuple(code.name for code in SPACE.informative) == SPACE.names[1:]
    assert SPACE.dim == 12 and SPACE.num_params == 4 + 4 + 2 + 2
    assert SPACE["style"].num_categories == 2
    paper = LatentSpace([Normal(62), Categorical(10), Uniform(2, -1, 1)])
    assert (paper.dim, paper.num_params) == (74, 14)


@pytest.mark.parametrize(
    "codes, names",
    [
        ([Normal(1)], ["normal"]),
        ([Normal(1), Normal(1)], ["normal_1", "normal_2"]),
        ([Normal(1, name="a"), Normal(1)], ["a", "normal"]),
        ([Normal(1), Normal(1, name="normal")], ["normal_1", "normal"]),
        (
            [Normal(1), Normal(1, name="normal_1"), Normal(1)],
            ["normal_2", "normal_1", "normal_3"],
        ),
    ],
)
def test_names(codes, names):
    assert LatentSpace(codes).names == tuple(names)
    again = LatentSpace(LatentSpace(codes).codes)
    assert again.names == tuple(names)


def test_the_codes_given_are_left_as_they_are():
    code = Uniform(1)
    LatentSpace([code, code])
    assert code.name == "uniform" and code.get_config()["name"] is None


def test_config():
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(SPACE))
    assert isinstance(loaded, LatentSpace) and loaded.names == SPACE.names
    assert loaded.get_config() == SPACE.get_config() and repr(loaded) == repr(SPACE)


def test_samples_are_the_codes_side_by_side():
    assert DRAWS.shape == (500, 12) and DRAWS.dtype == np.float32
    codes = SPACE.split(DRAWS)
    assert list(codes) == list(SPACE.names)
    np.testing.assert_array_equal(np.concatenate(list(codes.values()), axis=1), DRAWS)
    assert abs(codes["normal"].mean()) < 0.2 and 0.8 < codes["normal"].std() < 1.2
    for name in ("categorical", "style"):
        assert set(np.unique(codes[name])) == {0, 1} and (codes[name].sum(axis=1) == 1).all()
    assert 0 <= codes["uniform_1"].min() and codes["uniform_1"].max() <= 2
    assert -1 <= codes["uniform_2"].min() < -0.9 and 0.9 < codes["uniform_2"].max() <= 1
    # Codes of one kind are independent.
    correlation = np.corrcoef([*codes["uniform_1"].T, codes["uniform_2"][:, 0]])
    np.testing.assert_allclose(correlation, np.eye(3), atol=0.2)


def test_the_seed_decides():
    def draws(seed):
        return ops.convert_to_numpy(SPACE.sample(20, seed=seed))

    np.testing.assert_array_equal(draws(0), draws(0))
    np.testing.assert_array_equal(draws(np.int64(3)), draws(3))
    assert (draws(0) != draws(1)).any()
    generator, other = keras.random.SeedGenerator(5), keras.random.SeedGenerator(5)
    first, second = draws(generator), draws(generator)
    assert (first != second).any()
    np.testing.assert_array_equal(first, draws(other))
    keras.utils.set_random_seed(7)
    first, second = draws(None), draws(None)
    assert (first != second).any()
    keras.utils.set_random_seed(7)
    np.testing.assert_array_equal(first, draws(None))


class Sampler(keras.layers.Layer):
    def __init__(self, space):
        super().__init__()
        self.space = space
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, x):
        z = self.space.sample(ops.shape(x)[0], seed=self.seed_generator)
        return x + z


@pytest.mark.parametrize("jit_compile", [False, True])
def test_sampling_in_a_compiled_function(jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("needs a compiler")
    x = keras.Input((SPACE.dim,))
    model = keras.Model(x, Sampler(SPACE)(x))
    model.compile(jit_compile=jit_compile)
    zeros = np.zeros((10, SPACE.dim), "float32")
    draws = model.predict(zeros, batch_size=4, verbose=0)  # The last batch is of two.
    again = model.predict(zeros, batch_size=4, verbose=0)
    assert (draws != again).any() and (draws[:4] != draws[4:8]).any()
    codes = SPACE.split(draws)
    assert (codes["categorical"].sum(axis=1) == 1).all()
    assert (np.abs(codes["uniform_2"]) <= 1).all()


def test_likelihoods_and_predictions():
    rng = np.random.default_rng(1)
    params = rng.normal(size=(500, 12)).astype("float32")
    parts = SPACE.split_params(params)
    assert [part.shape[1] for part in parts.values()] == [4, 4, 2, 2]
    np.testing.assert_array_equal(np.concatenate(list(parts.values()), axis=1), params)

    z = SPACE.split(DRAWS)
    expected = {}
    for name in ("categorical", "style"):
        log_q = scipy.special.log_softmax(parts[name], axis=1)
        expected[name] = log_q[np.arange(500), z[name].argmax(axis=1)]
    for name in ("uniform_1", "uniform_2"):
        mean, log_std = np.split(parts[name], 2, axis=1)
        expected[name] = scipy.stats.norm.logpdf(z[name], mean, np.exp(log_std)).sum(axis=1)
    log_likelihood = numbers(SPACE.log_likelihood(params, DRAWS))
    assert list(log_likelihood) == ["categorical", "uniform_1", "style", "uniform_2"]
    for name, value in log_likelihood.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5)

    prediction = numbers(SPACE.predict(params))
    assert list(prediction) == list(log_likelihood)
    expected = scipy.special.softmax(parts["style"], axis=1)
    np.testing.assert_allclose(prediction["style"], expected, rtol=1e-5)
    np.testing.assert_array_equal(prediction["uniform_1"], parts["uniform_1"][:, :2])
    assert SPACE.entropy() == pytest.approx(
        {
            "categorical": np.log(4),
            "uniform_1": 2 * np.log(2),
            "style": np.log(2),
            "uniform_2": np.log(2),
        }
    )


def test_traversal_changes_one_code_alone():
    z = DRAWS[0]
    vectors = SPACE.traversal(z, "style")
    assert isinstance(vectors, np.ndarray) and vectors.shape == (2, 12)
    np.testing.assert_array_equal(vectors[:, 9:11], np.eye(2))
    vectors[:, 9:11] = z[9:11]
    np.testing.assert_array_equal(vectors, np.tile(z, (2, 1)))

    vectors = SPACE.traversal(z, "uniform_1", dim=1, steps=3, extent=2)
    np.testing.assert_allclose(vectors[:, 8], [-1, 1, 3])
    vectors[:, 8] = z[8]
    np.testing.assert_array_equal(vectors, np.tile(z, (3, 1)))


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda: LatentSpace([]), r"`codes` must be a list of one or more .* codes=\(\)"),
        (lambda: LatentSpace(Normal(3)), "`codes` must be a list of one or more"),
        (lambda: LatentSpace([Normal(3), 10]), "`codes` must be a list .*Received.*10"),
        (
            lambda: LatentSpace([Normal(3, name="a"), Uniform(3, name="a")]),
            r"names of `codes` must differ. Received: the names \['a', 'a'\]",
        ),
        (lambda: SPACE["pose"], r"`name` must be one of \('normal',.* Received: name='pose'"),
        (lambda: SPACE.sample(0), "`n` must be an integer >= 1. Received: n=0"),
        (lambda: SPACE.sample(1.5), "`n` must be an integer >= 1. Received: n=1.5"),
        (
            lambda: SPACE.split(np.zeros((2, 11))),
            r"`z` must have the shape \(n, 12\). Received: z.shape=\(2, 11\)",
        ),
        (lambda: SPACE.split(np.zeros(12)), r"`z` must .* Received: z.shape=\(12,\)"),
        (lambda: SPACE.split_params(np.zeros((2, 11))), r"`params` .* params.shape=\(2, 11\)"),
        (
            lambda: SPACE.log_likelihood(np.zeros((2, 12)), np.zeros((2, 9))),
            r"`z` must have the shape \(n, 12\)",
        ),
        (lambda: SPACE.predict(np.zeros((2, 1))), r"`params` must have the shape \(n, 12\)"),
        (lambda: SPACE.traversal(np.zeros(11), "style"), r"`z` must .* Rec.*z.shape=\(11,\)"),
        (lambda: SPACE.traversal(DRAWS[0], "uniform"), "`name` must be one of"),
        (lambda: SPACE.traversal(DRAWS[0], "uniform_2", dim=1), "`dim` must be less than 1"),
    ],
)
def test_bad_input_is_named(use, message):
    with pytest.raises(ValueError, match=message):
        use()
