"""How far the changes that latent components or directions cause are from orthogonal."""

import numpy as np

from keras_disentangle.metrics._generator import evaluate
from keras_disentangle.metrics.hessian import check_points
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def jacobian_orthogonality(fn, z, *, epsilon=0.1, directions=None, batch_size=64):
    """How far the changes of the output that components cause are from orthogonal to each other.

    With the derivative J_i of the whole output, as one vector, by component i, from the central
    difference `[f(z + e_i) - f(z - e_i)] / 2 eps`:

    - `"on_diagonal"`, the sum of `(J_i . J_i)**2` over that of `(J_i . J_j)**2` for all i and j,
      each summed over codes: 1 if the changes are orthogonal, and 1 / d if all are equal. It is
      high too where one component alone changes anything.
    - `"mean_cosine"`, the mean of `|cos(J_i, J_j)|` over i < j and codes, to which all components
      contribute alike, also those that change next to nothing. Pairs with a J of zeros are left
      out.
    - `"penalty"`, the mean over codes of `2 * sum_{i != j} (J_i . J_j)**2`, the expectation of
      `kd.losses.orthogonal_jacobian`. Its unit is the fourth power of the output's.

    That takes `2 * d` evaluations of each code. With `directions` Q (m, d), the derivatives are
    those of f(z + w Q) with respect to w at w = 0.

    Args:
        fn: callable from float32 codes (m, d) to an array or tensor (m, ...) of float32 or float64.
            It must be deterministic and treat each code independently.
        z: array (n, d), the codes, d >= 2 without `directions`.
        epsilon: the step, in the units of the codes (in lengths of the directions, where these are
            not 1).
        directions: `None`, the axes, or an array (m, d), m >= 2, with the directions as rows.
        batch_size: the number of codes given to `fn` at once, >= 4.

    Returns:
        A dict of `"on_diagonal"` and `"mean_cosine"` in [0, 1], and `"penalty"`, at least 0. 0 / 0,
        as for a constant output, is NaN.

    Raises:
        ValueError: as `hessian_diagonality`.

    Example:

    >>> fn = lambda z: np.stack([z[:, 0] + z[:, 1], z[:, 0] - z[:, 1]], axis=1)
    >>> round(kd.metrics.jacobian_orthogonality(fn, np.ones((1, 2)))["on_diagonal"], 4)
    1.0

    Reference: Wei et al., 2021 (Orthogonal Jacobian Regularization for Unsupervised Disentanglement
    in Image Generation), for the penalty.
    """
    z, epsilon, directions, batch_size = check_points(
        z, epsilon, directions, batch_size, pairs=True
    )
    steps, m = epsilon * directions, len(directions)
    on = off = cosines = pairs = 0.0
    for code in z:
        points = np.concatenate([code + steps, code - steps])
        parts = [
            evaluate(fn, points[i : i + batch_size], "fn(z)")
            for i in range(0, len(points), batch_size)
        ]
        ahead, behind = np.concatenate(parts).astype("float64").reshape(2, m, -1)
        jacobian = (ahead - behind) / (2 * epsilon)
        gram = jacobian @ jacobian.T
        lengths = np.sqrt(np.diag(gram))
        above = np.triu_indices(m, 1)
        on += np.sum(np.diag(gram) ** 2)
        off += 2 * np.sum(gram[above] ** 2)
        products = np.outer(lengths, lengths)[above]
        counted = products > 0
        cosines += np.sum(np.abs(gram[above][counted]) / products[counted])
        pairs += np.count_nonzero(counted)
    with np.errstate(invalid="ignore"):
        return {
            "on_diagonal": float(np.divide(on, on + off)),
            "mean_cosine": float(min(np.divide(cosines, pairs), 1.0)),
            "penalty": float(2 * off / len(z)),
        }


declare(
    jacobian_orthogonality,
    scores=[
        Score("jacobian_on_diagonal", "on_diagonal"),
        Score("jacobian_cosine", "mean_cosine", better="lower"),
        Score("jacobian_penalty", "penalty", bounds=(0, np.inf), better="lower"),
    ],
)
