"""Hessians of a generator's outputs: matrices, penalties, and how diagonal they are."""

import itertools

import numpy as np

from keras_disentangle._arguments import check_int, check_number
from keras_disentangle._progress import progress
from keras_disentangle.metrics._generator import check_directions, evaluate
from keras_disentangle.metrics._validation import check_matrix
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score

# Guard against division by zero in the authors' release, for outputs on the scale of images.
_OFFSET = 1e-8


def hessian_matrix(fn, z, *, epsilon=0.1, directions=None, batch_size=64):
    """All second derivatives of each output of a generator, by its code or along directions.

    By central differences, as in the authors' release:

        H_ij = [f(z + e_i + e_j) - f(z + e_i - e_j) - f(z - e_i + e_j) + f(z - e_i - e_j)] / 4 eps^2

    with e_i of length eps, so that the diagonal has steps of 2 eps. That takes `2 * d**2 + 1`
    evaluations of each code, 289 for d = 12. The truncation error is of the order of `eps**2` times
    fourth derivatives.

    With `directions` Q (m, d), e_i is eps times its row i, and H_ij = q_i^T H q_j: the Hessian of
    f(z + w Q) with respect to w at w = 0, m x m, from `2 * m**2 + 1` evaluations.

    `fn` computes in float32; the differences are taken in float64. What remains is the rounding
    error of codes and outputs, about `1e-7 / eps**2` times the magnitude of the outputs: 1e-5 for
    images and the default step. Smaller entries are noise.

    Args:
        fn: callable from float32 codes (m, d) to an array or tensor (m, ...) of float32 or float64.
            It must be deterministic and treat each code independently.
        z: array (n, d), the codes.
        epsilon: the step, in the units of the codes (in lengths of the directions, where these are
            not 1); the paper's is 0.1.
        directions: `None`, the axes, or an array (m, d) with the directions as rows.
        batch_size: the number of codes given to `fn` at once, >= 4.

    Returns:
        Float64 array (n, ..., m, m), m = d for the axes, symmetric: `8 * m**2` bytes for each
        output. For large outputs see `hessian_diagonality`, `hessian_penalty_map` and
        `peak_hessians`.

    Raises:
        ValueError: if `z` is not a finite array of rank 2, `directions` is not one of the same
            width or has a row of zeros, `epsilon` is not positive, `batch_size` is too small, or
            `fn` does not return finite floating-point numbers for each code.

    Example:

    >>> kd.metrics.hessian_matrix(lambda z: z[:, 0] * z[:, 1], np.ones((1, 2))).round(2) + 0.0
    array([[[0., 1.],
            [1., 0.]]])

    Reference: Peebles et al., The Hessian Penalty, 2020, section 4.5 and appendix C.
    """
    z, epsilon, directions, batch_size = check_points(z, epsilon, directions, batch_size)
    hessian = None
    for rows in _blocks(z, batch_size):
        for i, j, entry in _entries(fn, z[rows], directions, epsilon, batch_size):
            if hessian is None:
                hessian = np.empty((len(z), *entry.shape[1:], len(directions), len(directions)))
            hessian[rows, ..., i, j] = hessian[rows, ..., j, i] = entry
    return hessian


def hessian_diagonality(fn, z, *, epsilon=0.1, min_curvature=None, directions=None, batch_size=64):
    """D% and D_R: how far the Hessian of each pixel is from diagonal.

    D% is the share of Hessians whose largest `|H_ij|` is on the diagonal, ties included; D_R is
    the mean over Hessians of mean |diagonal| / (mean |off-diagonal| + 1e-8). Both count every
    element of every output, as in the paper's table 2 and the authors' release: the Hessian of a
    pixel that never changes is zero, and counts as D% = 1 and D_R = 0. A pixel whose off-diagonal
    entries are exactly 0 contributes 1e8 times its diagonal to D_R and then dominates it: the ratio
    of the two means over all Hessians, `"pooled_ratio"`, does not have this problem.

    With `directions` Q the Hessians are those of G(z + w Q) with respect to w at w = 0: the D_R of
    directions that were discovered in a generator, to be compared with that of the axes.

    No complete Hessian is ever stored: entries are added to running sums and maxima one after
    another. That takes about 20 bytes times `batch_size` times the elements of one output, besides
    the memory of `fn`: 63 MB for 128 x 128 x 3 and the default. The evaluations are those of
    `hessian_matrix`.

    Args:
        fn: callable from float32 codes (m, d) to an array or tensor (m, ...) of float32 or float64.
            It must be deterministic and treat each code independently.
        z: array (n, d), the codes, d >= 2 without `directions`; the paper uses 100. The authors'
            release normalises them itself, and switches that off in its generator.
        epsilon: the step, in the units of the codes; the paper's is 0.1.
        min_curvature: hessians whose largest `|H_ij|` is not above this are left out: 0 leaves out
            pixels that never change, 1e-4 those that change by rounding alone (see
            `hessian_matrix`). `None`, as in the paper, leaves out none.
        directions: `None`, the axes, or an array (m, d), m >= 2, with the directions as rows.
        batch_size: the number of codes given to `fn` at once, >= 4.

    Returns:
        A dict: `"max_on_diagonal"`, D% as a share in [0, 1]; `"diagonal_ratio"`, D_R, at least 0;
        `"pooled_ratio"`, infinite where all off-diagonal entries are 0; `"num_hessians"`, the
        number of Hessians that were counted. 0 / 0, as where none was counted, is NaN.

    Raises:
        ValueError: as `hessian_matrix`; if there is only one axis or direction, or if
            `min_curvature` is negative.

    Example:

    >>> fn = lambda z: np.stack([z[:, 0] * z[:, 1], z[:, 0] ** 2], axis=1)
    >>> kd.metrics.hessian_diagonality(fn, np.ones((1, 2)))["max_on_diagonal"]
    0.5

    Reference: Peebles et al., The Hessian Penalty, 2020, section 4.5 and table 2.
    """
    z, epsilon, directions, batch_size = check_points(
        z, epsilon, directions, batch_size, pairs=True
    )
    dim = len(directions)
    if min_curvature is not None:
        min_curvature = check_number("min_curvature", min_curvature, 0)
    sizes = {True: dim, False: dim * (dim - 1) // 2}
    count = on_diagonal = 0
    ratios, sums = 0.0, {True: 0.0, False: 0.0}
    for rows in _blocks(z, batch_size):
        # Of each pixel, on the diagonal (True) and off it (False).
        largest, mean = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
        for i, j, entry in _entries(fn, z[rows], directions, epsilon, batch_size):
            np.abs(entry, out=entry)
            largest[i == j] = np.maximum(largest[i == j], entry)
            entry /= sizes[i == j]
            mean[i == j] += entry
        counted = np.ones(mean[True].shape, bool)
        if min_curvature is not None:
            counted = np.maximum(largest[True], largest[False]) > min_curvature
        count += np.count_nonzero(counted)
        on_diagonal += np.count_nonzero(counted & (largest[True] >= largest[False]))
        ratios += np.sum(mean[True] / (mean[False] + _OFFSET), where=counted)
        for on in sums:
            sums[on] += np.sum(mean[on], where=counted)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "max_on_diagonal": float(np.divide(on_diagonal, count)),
            "diagonal_ratio": float(np.divide(ratios, count)),
            "pooled_ratio": float(np.divide(sums[True], sums[False])),
            "num_hessians": int(count),
        }


def hessian_penalty_map(fn, z, *, epsilon=0.1, directions=None, batch_size=64):
    """The exact Hessian penalty of each element of the output, without sampling.

    `2 * sum_{i != j} H_ij**2`, the expectation of the variance over random directions (theorem 1).
    Memory and evaluations are those of `hessian_diagonality`, besides the result.

    Args:
        fn, z, epsilon, directions, batch_size: as for `hessian_matrix`.

    Returns:
        Float64 array (n, ...) of the outputs' shape, at least 0.

    Raises:
        ValueError: as `hessian_matrix`.

    Example:

    >>> kd.metrics.hessian_penalty_map(lambda z: z[:, 0] * z[:, 1], np.ones((1, 2))).round(2)
    array([4.])

    Reference: Peebles et al., The Hessian Penalty, 2020, theorem 1 and appendix D.
    """
    z, epsilon, directions, batch_size = check_points(z, epsilon, directions, batch_size)
    penalties = []
    for rows in _blocks(z, batch_size):
        penalty = 0.0
        for i, j, entry in _entries(fn, z[rows], directions, epsilon, batch_size):
            # Each entry stands for its mirror image as well.
            penalty += 4 * (i != j) * np.square(entry, out=entry)
        penalties.append(penalty)
    return np.concatenate(penalties)


def peak_hessians(fn, z, *, epsilon=0.1, directions=None, batch_size=64):
    """For each code, the Hessian of the output element with the largest Hessian penalty.

    It needs twice as many evaluations of `fn` as `hessian_matrix`, and as much memory as
    `hessian_diagonality`.

    Args:
        fn, z, epsilon, directions, batch_size: as for `hessian_matrix`.

    Returns:
        hessians: float64 array (n, m, m), m = d for the axes.
        elements: integer array (n, r), the indices of those elements in an output of rank r: row,
            column and channel of images.

    Raises:
        ValueError: as `hessian_matrix`.

    Example:

    >>> fn = lambda z: np.stack([z[:, 0] ** 2, z[:, 0] * z[:, 1]], axis=1)
    >>> hessians, elements = kd.metrics.peak_hessians(fn, np.ones((1, 2)))
    >>> elements
    array([[1]])

    Reference: Peebles et al., The Hessian Penalty, 2020, figures 8 to 12.
    """
    arguments = {"epsilon": epsilon, "directions": directions, "batch_size": batch_size}
    penalty = hessian_penalty_map(fn, z, **arguments)
    peaks = penalty.reshape(len(penalty), -1).argmax(axis=1)

    def outputs_at_peaks(codes):
        return evaluate(fn, codes, "fn(z)").reshape(len(codes), -1)[:, peaks]

    hessians = hessian_matrix(outputs_at_peaks, z, **arguments)
    # For each code, its own peak.
    hessians = hessians[np.arange(len(peaks)), np.arange(len(peaks))]
    return hessians, np.stack(np.unravel_index(peaks, penalty.shape[1:]), axis=-1)


def check_points(z, epsilon, directions, batch_size, pairs=False):
    """The arguments of `hessian_matrix` and of measures like it, checked, the axes as a matrix.

    With `pairs`, a ValueError is also raised if there is only one axis or direction.
    """
    name, parts = ("z", "components") if directions is None else ("directions", "rows")
    z = check_matrix("z", z).astype(np.float64)
    epsilon = check_number("epsilon", epsilon, above=0)
    directions = np.eye(z.shape[1]) if directions is None else check_directions(directions, z)
    # A step that is lost in the rounding of every code would make all derivatives 0.
    largest = np.abs(z).max().astype(np.float32)
    if epsilon * np.abs(directions).max() < np.spacing(largest):
        raise ValueError(
            "`epsilon` must be larger than the rounding of the codes, which are given to `fn` in "
            f"float32, {np.spacing(largest):g}. Received: epsilon={epsilon:g}"
        )
    if pairs and len(directions) < 2:
        raise ValueError(
            f"`{name}` must have two {parts} or more, else nothing is off the diagonal. "
            f"Received: {name}.shape={(z if name == 'z' else directions).shape}"
        )
    return z, epsilon, directions, check_int("batch_size", batch_size, minimum=4)


def _blocks(z, batch_size):
    """Slices of the codes, small enough that the four points of an entry fit into a batch."""
    size = batch_size // 4
    blocks = [slice(i, min(i + size, len(z))) for i in range(0, len(z), size)]
    return progress(blocks, "blocks of Hessians")


def _entries(fn, z, directions, epsilon, batch_size):
    """Yields `i, j, H_ij` for all i <= j, where `H_ij` is a new float64 array (n, ...)."""
    steps = epsilon * directions
    centre = evaluate(fn, z, "fn(z)")
    pairs = list(itertools.combinations_with_replacement(range(len(steps)), 2))
    group_size = max(1, batch_size // (4 * len(z)))
    for start in progress(range(0, len(pairs), group_size), "entries"):
        group, points = pairs[start : start + group_size], []
        for i, j in group:
            points += [z + steps[i] + steps[j], z - steps[i] - steps[j]]
            if i != j:
                points += [z + steps[i] - steps[j], z - steps[i] + steps[j]]
        outputs = evaluate(fn, np.concatenate(points), "fn(z)")
        outputs = iter(outputs.reshape(len(points), *centre.shape))
        for i, j in group:
            entry = np.add(next(outputs), next(outputs), dtype=np.float64)
            for _ in range(2):
                entry -= centre if i == j else next(outputs)
            entry /= 4 * epsilon**2
            yield i, j, entry


declare(
    hessian_diagonality,
    scores=[
        Score("max_on_diagonal", "max_on_diagonal"),
        Score("diagonal_ratio", "diagonal_ratio", bounds=(0, np.inf)),
        Score("pooled_ratio", "pooled_ratio", bounds=(0, np.inf)),
    ],
)
