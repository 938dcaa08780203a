"""How much each latent component changes a generator's output."""

import numpy as np

from keras_disentangle._arguments import check_int, check_number, check_seed
from keras_disentangle._progress import progress
from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents import Normal, as_space, orthogonalize
from keras_disentangle.metrics._generator import check_directions, evaluate
from keras_disentangle.metrics._validation import check_matrix
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def activeness(
    generator,
    space,
    *,
    codes=None,
    num_samples=300,
    num_values=3,
    extent=1.0,
    directions=None,
    seed=0,
    batch_size=64,
):
    """Activeness of latent components or directions: the variance of the output as one changes.

    The component takes the values of a traversal while the others stay as in a random code; the
    unbiased variance over these values is averaged over pixels, then over codes. With the defaults
    this is the measure of the authors' release for normal codes: the values -2, 0 and 2, whose own
    variance is 4, and 300 codes. The paper says only that it is a "mean variance as we change z_i".

    All components of a categorical code change together, through every category, so that each
    has the activeness of the code as a whole.

    Along a direction q, the random code is made orthogonal to q, and t q is added to it for each
    value t of a traversal of a normal code, whatever codes `space` has. The axes of a normal code,
    as directions, have the activeness of its components.

    Args:
        generator: callable from float32 codes (m, d) to an array or tensor (m, ...) of float32 or
            float64. It must be deterministic.
        space: the `LatentSpace`, or an integer d: d standard normal dimensions.
        codes: `None`, or an array (n, d) of starting points, used in place of `num_samples` codes
            drawn from `space`. The authors' release normalises them itself, as its generator would
            do, and switches that off in the generator.
        num_samples: the number of random codes.
        num_values: the number of values that a continuous component visits, >= 2.
        extent: 1 visits -2 to 2 of a normal code and the whole interval of a uniform one, 2 twice
            as much.
        directions: `None`, or an array (m, d) with nonzero directions as rows, which are measured
            in place of the components.
        seed: seed of the codes.
        batch_size: approximate number of codes in a call of `generator`.

    Returns:
        Float64 array (d,), with directions (m,), in the outputs' units squared.

    Raises:
        ValueError: if `space` is neither of these, `codes` or `directions` is not a finite array of
            rows as wide as `space`, a direction is 0, a number is not a positive integer
            (`num_values`: at least 2), `extent` is not positive, or `generator` does not return
            finite floating-point numbers for each code.

    Example:

    >>> kd.metrics.activeness(lambda z: z @ np.array([[3.0], [0.5]], "float32"), 2)
    array([36.,  1.])

    Reference: Peebles et al., The Hessian Penalty, 2020, section 4.2 and figure 5.
    """
    space = as_space(space)
    num_samples = check_int("num_samples", num_samples)
    num_values = check_int("num_values", num_values, minimum=2)
    batch_size = check_int("batch_size", batch_size)
    extent = check_number("extent", extent, above=0)
    seed = check_seed("seed", seed)
    codes = check_matrix("codes", space.sample(num_samples, seed) if codes is None else codes)
    if codes.shape[1] != space.dim:
        raise ValueError(
            f"`codes` must be of shape (n, {space.dim}), as wide as `space`. "
            f"Received: codes.shape={codes.shape}"
        )

    def variance(visit):
        """Mean over codes and pixels of the variance along one traversal; `visit` maps codes (n, d)
        to the traversed points (n, values, d)."""
        size = max(1, batch_size // visit(codes[:1]).shape[1])
        total = 0.0
        for start in progress(range(0, len(codes), size), "batches of codes"):
            points = visit(codes[start : start + size])
            outputs = evaluate(generator, points.reshape(-1, space.dim), "generator(z)")
            outputs = outputs.reshape(*points.shape[:2], -1)
            total += np.var(outputs, axis=1, ddof=1, dtype=np.float64).mean(axis=1).sum()
        return total / len(codes)

    if directions is not None:
        values = Normal(1).traversal(num_values, extent)[:, None]
        directions = check_directions(directions, codes)

        def along(q):
            return lambda z: to_numpy("codes", orthogonalize(z, q))[:, None] + values * q

        return np.array([variance(along(q)) for q in directions])

    def through(name, dim):
        arguments = (name, dim, num_values, extent)
        return lambda codes: np.stack([space.traversal(z, *arguments) for z in codes])

    scores = []
    for code in space.codes:
        each = [variance(through(code.name, dim)) for dim in range(code.num_traversals)]
        scores += each * (code.dim // code.num_traversals)
    return np.array(scores)


declare(activeness, scores=[Score("activeness", bounds=(0, np.inf), better=None)])
