"""Model centrality: who agrees with whom, and the scores of the authors' code."""

import numpy as np
import pytest

from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.metrics import model_centrality

pytestmark = pytest.mark.one_backend

FEW = {"num_votes": 200, "batch_size": 10, "num_variance": 500, "seed": 7}


class Drawn(LatentSpace):
    """The same codes on every backend."""

    def sample(self, n, seed=None):
        return np.random.default_rng(seed).standard_normal((n, self.dim))


def four_models():
    """Linear generators and their inverses: two by axes, one nearly so, one rotated."""
    rng = np.random.default_rng(2020)
    rotations = [np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(2)]
    by_axes = np.eye(4)[[2, 0, 3, 1]] * [1, -2, 3, 0.5]
    matrices = [np.eye(4), by_axes, 0.8 * np.eye(4) + 0.2 * rotations[0], rotations[1]]
    encoders = [lambda x, a=a: np.linalg.solve(a.T, np.asarray(x).T).T for a in matrices]
    return encoders, [lambda z, a=a: z @ a for a in matrices]


def test_published_scores():
    encode, generate = four_models()
    found = model_centrality(encode, generate, Drawn([Normal(4)]), **FEW)
    # FactorVAE_dSprites/gan/metric.py of fjxmlzn/InfoGAN-CR, commit e0537bc: `FactorVAEMetric` of
    # the same images, symmetrised and averaged as in main_mc.py.
    expected = [0.823333333333, 0.828333333333, 0.809166666667, 0.479166666667]
    assert found == pytest.approx(np.array(expected), abs=0.01)


def test_what_is_held_fixed():
    seen = []

    def generate(z):
        seen.append(z)
        return z

    space = LatentSpace([Normal(3), Categorical(3), Uniform(2)])
    options = {"num_votes": 6, "batch_size": 5, "num_variance": 4, "encode_batch": 7}
    found = model_centrality([np.copy, np.copy], [generate, np.copy], space, **options)
    assert found.shape == (2,)
    votes = np.concatenate(seen)[4:].reshape(6, 5, 8)
    constant = (votes == votes[:, :1]).all(axis=1)
    # The noise never, the categories together, each uniform dimension in turn, and again.
    np.testing.assert_array_equal(constant[:, :3], False)
    np.testing.assert_array_equal(constant[:, 3:6].all(axis=1), [1, 0, 0] * 2)
    np.testing.assert_array_equal(constant[:, 6:], [[0, 0], [1, 0], [0, 1]] * 2)
    without = [lambda x: np.ones((len(x), 2)), np.copy]
    # The first knows nothing of the second; the second recovers the first's codes.
    generate = [np.copy, np.copy]
    assert model_centrality(without, generate, 3, **FEW).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        (([np.copy], [np.copy], 2), {}, "`encode` must be a list .* Received: list of 1"),
        (([np.copy] * 2, np.copy, 2), {}, "`generate` must be a list"),
        (([np.copy, 3], [np.copy] * 2, 2), {}, "`encode` must be a function. Received: encode=3"),
        (([np.copy] * 2, [np.copy] * 3, 2), {}, "`encode`, `generate` and .* 2, 3 and 2"),
        (([np.copy] * 2, [np.copy] * 2, [2]), {}, "`encode`, `generate` and .* 2, 2 and 1"),
        (([np.copy] * 2, [np.copy] * 2, "2"), {}, "`space` must be a `LatentSpace` or the number"),
        (
            ([np.copy] * 2, [np.copy] * 2, 2),
            {"num_votes": 0},
            "`num_votes` must be an integer >= 1",
        ),
        (([np.copy] * 2, [np.copy] * 2, 2), {"batch_size": 1}, "`batch_size` must be .* >= 2"),
        (([np.copy] * 2, [np.copy] * 2, 2), {"num_variance": 1}, "`num_variance` must be .* >= 2"),
        (([np.ravel] * 2, [np.copy] * 2, 2), FEW, r"`encode\(images\)` must be a non-empty array"),
        (([lambda x: x[1:]] * 2, [np.copy] * 2, 2), FEW, "`encode` must return one code for each"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        model_centrality(*arguments, **options)
