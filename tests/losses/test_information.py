import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from keras import ops

from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.losses import information_lower_bound, information_per_code

SPACE = LatentSpace([Normal(3), Categorical(10), Uniform(2, -1, 1)])


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def test_the_bound_is_log_likelihood_plus_entropy():
    params = np.random.default_rng(0).normal(size=(6, 14)).astype("float32")
    z = numbers(SPACE.sample(6, seed=0))
    one_hot, c = z[:, 3:13], z[:, 13:]
    logits, mean, log_std = params[:, :10], params[:, 10:12], params[:, 12:]

    categorical = scipy.special.log_softmax(logits, axis=1)[one_hot == 1]
    categorical = categorical + scipy.stats.entropy(np.full(10, 0.1))
    uniform = scipy.stats.norm.logpdf(c, mean, np.exp(log_std)).sum(axis=1)
    uniform = uniform + 2 * scipy.stats.uniform(-1, 2).entropy()

    terms = information_per_code(SPACE, params, z)
    assert list(terms) == ["categorical", "uniform"]
    np.testing.assert_allclose(numbers(terms["categorical"]), categorical, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(numbers(terms["uniform"]), uniform, rtol=1e-5, atol=1e-5)
    bound = numbers(information_lower_bound(SPACE, params, z))
    np.testing.assert_allclose(bound, categorical + uniform, rtol=1e-5, atol=1e-5)


def test_what_is_known_and_what_is_not():
    space = LatentSpace([Categorical(10)])
    z = np.eye(10, dtype="float32")
    # A posterior that ignores the image has no information, a sure one all of it.
    np.testing.assert_allclose(numbers(information_lower_bound(space, 0 * z, z)), 0, atol=1e-6)
    bound = numbers(information_lower_bound(space, 100 * z, z))
    np.testing.assert_allclose(bound, np.log(10), rtol=1e-6)
    # The best Gaussian that ignores the image has the moments of the prior.
    space = LatentSpace([Uniform(1, -1, 1)])
    z = np.linspace(-1, 1, 100_001, dtype="float32")[:, None]
    params = np.tile(np.float32([[0, np.log(1 / 3) / 2]]), (len(z), 1))
    bound = numbers(information_lower_bound(space, params, z)).astype("float64").mean()
    expected = np.log(2) - scipy.stats.norm(0, 3**-0.5).entropy()
    np.testing.assert_allclose(bound, expected, atol=1e-4)


def test_narrow_parameters_are_widened():
    params = ops.cast(np.zeros((4, 14)), "bfloat16")
    value = information_lower_bound(SPACE, params, SPACE.sample(4, seed=0))
    assert tuple(value.shape) == (4,)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"


@pytest.mark.parametrize("function", [information_lower_bound, information_per_code])
@pytest.mark.parametrize(
    "space, params, z, message",
    [
        (LatentSpace([Normal(3)]), 0, 3, "`space` must be .* an informative code. Rec.*Normal"),
        (SPACE, 13, 15, r"`q_params` must have the shape \(n, 14\). Received: .*\(2, 13\)"),
        (SPACE, 14, 12, r"`codes` must have the shape \(n, 15\). Received: .*\(2, 12\)"),
    ],
)
def test_bad_input_is_named(function, space, params, z, message):
    with pytest.raises(ValueError, match=message):
        function(space, np.zeros((2, params)), np.zeros((2, z)))


@pytest.mark.parametrize("function", [information_lower_bound, information_per_code])
def test_what_is_no_space_and_another_batch_are_named(function):
    with pytest.raises(ValueError, match="`space` must be a `LatentSpace` .* Received: space=7"):
        function(7, np.zeros((2, 14)), np.zeros((2, 15)))
    with pytest.raises(ValueError, match=r"`q_params` and `codes` must .* codes.shape=\(3, 15\)"):
        function(SPACE, np.zeros((2, 14)), np.zeros((3, 15)))
