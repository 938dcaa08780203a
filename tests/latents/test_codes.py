import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from keras import layers, ops

from keras_disentangle.latents import Categorical, Normal, Quantized, Uniform

RNG = np.random.default_rng(0)
N = 20_000
FIVE_ERRORS = 5 / N**0.5

CODES = {
    "normal": (Normal(3), {"dim": 3, "num_params": 6, "informative": False, "num_traversals": 3}),
    "uniform": (
        Uniform(2, -1, 3, posterior_std=1.0),
        {"dim": 2, "num_params": 2, "informative": True, "num_traversals": 2},
    ),
    "categorical": (
        Categorical(4),
        {"dim": 4, "num_params": 4, "informative": True, "num_traversals": 1},
    ),
    "quantized": (
        Quantized(2, 5, 0, 2),
        {"dim": 2, "num_params": 10, "informative": True, "num_traversals": 2},
    ),
}


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("kind", CODES)
def test_attributes_and_config(kind):
    code, attributes = CODES[kind]
    assert {name: getattr(code, name) for name in attributes} == attributes
    assert code.name == kind
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(code))
    assert type(loaded) is type(code) and loaded.get_config() == code.get_config()
    assert repr(loaded) == repr(code) and repr(code).startswith(type(code).__name__)


@pytest.mark.parametrize("kind", CODES)
def test_the_seed_decides(kind):
    code, _ = CODES[kind]
    first = numbers(code.sample(50, seed=1))
    assert first.shape == (50, code.dim) and first.dtype == np.float32
    np.testing.assert_array_equal(first, numbers(code.sample(50, seed=1)))
    assert (first != numbers(code.sample(50, seed=2))).any()


def test_normal_samples():
    draws = numbers(Normal(2).sample(N, seed=0))
    for column in draws.T:
        assert scipy.stats.kstest(column, "norm").statistic < FIVE_ERRORS / 2
    assert abs(np.corrcoef(draws.T)[0, 1]) < FIVE_ERRORS


def test_uniform_samples():
    draws = numbers(Uniform(2, -1, 3).sample(N, seed=0))
    assert draws.min() >= -1 and draws.max() <= 3
    for column in draws.T:
        assert scipy.stats.kstest(column, "uniform", (-1, 4)).statistic < FIVE_ERRORS / 2
    assert abs(np.corrcoef(draws.T)[0, 1]) < FIVE_ERRORS


def test_categorical_samples():
    draws = numbers(Categorical(5).sample(N, seed=0))
    assert set(np.unique(draws)) == {0, 1} and (draws.sum(axis=1) == 1).all()
    np.testing.assert_allclose(draws.mean(axis=0), 0.2, atol=0.4 * FIVE_ERRORS)


def test_quantized_samples():
    draws = numbers(Quantized(2, 5, 0, 2).sample(N, seed=0))
    for column in draws.T:
        values, counts = np.unique(column, return_counts=True)
        np.testing.assert_array_equal(values, [0, 0.5, 1, 1.5, 2])
        np.testing.assert_allclose(counts / N, 0.2, atol=0.4 * FIVE_ERRORS)
    assert abs(np.corrcoef(draws.T)[0, 1]) < FIVE_ERRORS


@pytest.mark.parametrize(
    "code, expected",
    [
        (Normal(3), 3 * scipy.stats.norm.entropy()),
        (Uniform(2, -1, 3), 2 * scipy.stats.uniform(-1, 4).entropy()),
        (Uniform(1, 0, 0.5), np.log(0.5)),
        (Categorical(10), scipy.stats.entropy(np.full(10, 0.1))),
        (Quantized(3, 10), scipy.stats.entropy(np.full(1000, 0.001))),
    ],
)
def test_entropy(code, expected):
    assert code.entropy() == pytest.approx(expected)


@pytest.mark.parametrize("code", [Normal(3), Uniform(3)])
def test_learned_gaussian_posterior(code):
    codes, mean, log_std = RNG.normal(size=(3, 7, 3)).astype("float32")
    params = np.concatenate([mean, log_std], axis=1)
    expected = scipy.stats.norm.logpdf(codes, mean, np.exp(log_std)).sum(axis=1)
    np.testing.assert_allclose(numbers(code.log_likelihood(params, codes)), expected, rtol=1e-5)
    np.testing.assert_array_equal(numbers(code.predict(params)), mean)


@pytest.mark.parametrize("std", [1.0, 0.3])
def test_fixed_gaussian_posterior(std):
    codes, mean = RNG.normal(size=(2, 7, 3)).astype("float32")
    code = Uniform(3, posterior_std=std)
    expected = scipy.stats.norm.logpdf(codes, mean, std).sum(axis=1)
    np.testing.assert_allclose(numbers(code.log_likelihood(mean, codes)), expected, rtol=1e-5)
    np.testing.assert_array_equal(numbers(code.predict(mean)), mean)


def test_categorical_posterior():
    logits = (10 * RNG.normal(size=(7, 4))).astype("float32")
    index = RNG.integers(0, 4, 7)
    expected = scipy.special.log_softmax(logits.astype("float64"), axis=1)
    code = Categorical(4)
    value = numbers(code.log_likelihood(logits, np.eye(4)[index]))
    np.testing.assert_allclose(value, expected[np.arange(7), index], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(numbers(code.predict(logits)), np.exp(expected), rtol=1e-5)


def test_quantized_posterior():
    """A softmax of each dimension; codes between two values count as the nearer one."""
    code = Quantized(2, 4)
    logits = (10 * RNG.normal(size=(7, 2, 4))).astype("float32")
    index = RNG.integers(0, 4, (7, 2))
    expected = scipy.special.log_softmax(logits.astype("float64"), axis=2)
    expected = np.take_along_axis(expected, index[..., None], 2).sum((1, 2))
    codes = code.traversal()[index] + RNG.uniform(-0.3, 0.3, (7, 2))
    value = numbers(code.log_likelihood(logits.reshape(7, 8), codes))
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    predicted = numbers(code.predict(logits.reshape(7, 8)))
    np.testing.assert_array_equal(predicted, code.traversal()[logits.argmax(2)])


@pytest.mark.parametrize("kind", CODES)
def test_likelihoods_are_wide(kind):
    code, _ = CODES[kind]
    params = ops.cast(RNG.normal(size=(5, code.num_params)), "bfloat16")
    for value in (code.log_likelihood(params, code.sample(5, seed=0)), code.predict(params)):
        assert keras.backend.standardize_dtype(value.dtype) == "float32"


def test_the_learned_std_has_a_floor_that_it_can_leave():
    code = Uniform(1)
    value = numbers(code.log_likelihood(np.float32([[0.5, -100]]), np.float32([[0.501]])))
    np.testing.assert_allclose(value, scipy.stats.norm.logpdf(1e-3, 0, 1e-3), rtol=1e-3)

    # Wrong by far more than its std, a posterior must become wider again.
    dense = layers.Dense(
        2, use_bias=False, kernel_initializer=lambda shape, dtype: ops.array([[0.0, -8.0]], dtype)
    )
    model = keras.Sequential([keras.Input((1,)), dense])
    model.compile(keras.optimizers.SGD(1e-6), lambda c, params: -code.log_likelihood(params, c))
    model.fit(np.ones((1, 1)), np.ones((1, 1)), verbose=0)
    # The derivative of the log-likelihood with respect to log std is (r / std)^2 - 1.
    np.testing.assert_allclose(numbers(dense.kernel)[0, 1], -8 + 1e-6 * (1e6 - 1), rtol=1e-3)


@pytest.mark.parametrize(
    "code, arguments, expected",
    [
        (Uniform(2), {}, np.linspace(-1, 1, 10)),
        (Uniform(2, 1, 3), {"steps": 5, "extent": 2}, [0, 1, 2, 3, 4]),
        (Normal(2), {"steps": 5}, [-2, -1, 0, 1, 2]),
        (Normal(2), {"steps": 2, "extent": 0.5}, [-1, 1]),
        (Categorical(3), {"steps": 7, "extent": 2}, np.eye(3)),
        (Quantized(2, 3, 0, 1), {"steps": 7, "extent": 2}, [0, 0.5, 1]),
    ],
)
def test_traversal(code, arguments, expected):
    values = code.traversal(**arguments)
    assert isinstance(values, np.ndarray) and values.dtype == np.float32
    np.testing.assert_allclose(values, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Normal(0), "`size` must be an integer >= 1. Received: size=0"),
        (lambda: Uniform(1.5), "`size` must be an integer >= 1. Received: size=1.5"),
        (lambda: Uniform(1, 1, 1), "`low` must be less than `high`. Received: low=1, high=1"),
        (lambda: Uniform(1, 2, -2), "`low` must be less than `high`. Received: low=2, high=-2"),
        (lambda: Uniform(1, high=np.inf), "`high` must be a finite number. Received: high=inf"),
        (lambda: Uniform(1, "a"), "`low` must be a finite number. Received: low='a'"),
        (lambda: Categorical(0), "`num_categories` must be an integer >= 2. Received: .*=0"),
        (lambda: Quantized(2, 1), "`num_values` must be an integer >= 2. Received: .*=1"),
        (lambda: Quantized(2, 3, 1, 0), "`low` must be less than `high`. Received: low=1, high=0"),
        (lambda: Quantized(2).traverse(np.zeros(2), 2), "`dim` must be less than 2.*dim=2"),
        (lambda: Categorical(1), "`num_categories` must be an integer >= 2. Received: .*=1"),
        (
            lambda: Normal(1, posterior_std=0),
            "`posterior_std` must be a finite number > 0. Received: .*=0",
        ),
        (
            lambda: Uniform(1, posterior_std=-1),
            "`posterior_std` must be a finite number > 0. Received: .*=-1",
        ),
        (lambda: Normal(1, posterior_std="x"), "`posterior_std` must be a finite number"),
        (lambda: Categorical(3, informative="no"), "`informative` must be True or False. Rec.*no"),
        (lambda: Normal(3, name=""), "`name` must be None or a word. Received: name=''"),
        (lambda: Normal(3, name=3), "`name` must be None or a word. Received: name=3"),
        (lambda: Uniform(1).traversal(steps=1), "`steps` must be an integer >= 2. Rec.*steps=1"),
        (
            lambda: Normal(1).traversal(extent=0),
            "`extent` must be a finite number > 0. Received: extent=0",
        ),
        (lambda: Normal(1).traversal(extent=np.nan), "`extent` must be a finite number"),
        (lambda: Normal(2).traverse(np.zeros(2), 2), "`dim` must be less than 2.*Rec.*dim=2"),
        (lambda: Categorical(2).traverse(np.eye(2)[0], 1), "`dim` must be less than 1.*dim=1"),
        (lambda: Normal(2).traverse(np.zeros(2), -1), "`dim` must be an integer >= 0"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("kind", CODES)
def test_bad_widths_are_named(kind):
    code, _ = CODES[kind]
    params, codes = np.zeros((2, code.num_params)), np.zeros((2, code.dim))
    message = rf"`params` must have the shape \(n, {code.num_params}\). Received: params.shape="
    with pytest.raises(ValueError, match=message):
        code.log_likelihood(np.zeros((2, code.num_params + 1)), codes)
    with pytest.raises(ValueError, match=message):
        code.predict(np.zeros((2, 1, code.num_params)))
    with pytest.raises(ValueError, match=rf"`codes` must have the shape \(n, {code.dim}\)"):
        code.log_likelihood(params, np.zeros((2, code.dim + 1)))
