"""The Orthogonal Jacobian regularization: how far a network's Jacobian is from orthogonal."""

from keras import ops, tree

from keras_disentangle.losses._second_derivative import directional_derivative
from keras_disentangle.losses.hessian_penalty import (
    Flattened,
    check_settings,
    point_and_directions,
    reduced,
    squares_about_mean,
)


def orthogonal_jacobian(
    fn,
    z,
    *,
    num_directions=2,
    epsilon=0.1,
    reduction="max",
    method="finite_difference",
    unbiased=True,
    one_pass=False,
    seed=None,
):
    r"""The Orthogonal Jacobian regularization (OroJaR) of `fn` at `z`.

    For the output of `fn` at each example of `z`, with Jacobian $J = [J_1, ..., J_d]$,

    $$\operatorname{Var}_v |J v|^2 = 2 \sum_{i \neq j} (J_i \cdot J_j)^2$$

    over random vectors $v$ of ones and minus ones: it is 0 if the changes that the components of
    `z` cause are orthogonal. The variance is estimated from `num_directions` vectors (drawn anew
    for each example) and reduced over the batch to one number. For several output tensors, these
    numbers are added up. $J v$ is the forward difference

    $$[G(z + \epsilon v) - G(z)] / \epsilon$$

    so `fn` is evaluated `num_directions` + 1 times. (The Hessian Penalty takes 2 `num_directions`
    evaluations, and asks about each element of an output, this about the output as a whole.)

    The value is of the fourth degree in the scale of the output and grows with the square of its
    number of elements, over which is summed: a useful weight is often far below 1, and is another
    one for other sizes of images.

    Variables, other inputs and half precision are treated as by `hessian_penalty`.

    Args:
        fn, z: as in `hessian_penalty`.
        num_directions: k, the number of random vectors, at least 2.
        epsilon: step of the differences, in units of `z`, from 1e-6 to 1e6; not used by
            `method="exact"`.
        reduction: reduces the penalties of all examples, (batch,), to one number: "max", "mean" or
            a function from tensor to scalar.
        method: "finite_difference", or "exact" for the derivative by automatic differentiation.
        unbiased: whether the variance divides by k - 1, as in the authors' release for PyTorch;
            otherwise it divides by k, as in their release for TensorFlow.
        one_pass: whether to evaluate all k + 1 points as one batch of k + 1 times the size, under
            the conditions of `hessian_penalty`.
        seed: as in `hessian_penalty`.

    Returns:
        Scalar tensor, float32 or wider.

    Raises:
        ValueError: as `hessian_penalty`.

    Example:

    >>> z = np.ones((8, 2))
    >>> matrix = ops.convert_to_tensor([[1.0, 0.0], [1.0, 1.0]])
    >>> fn = lambda z: ops.matmul(z, matrix)
    >>> kd.losses.orthogonal_jacobian(fn, z, num_directions=100, reduction="mean")   # ~ 4

    Reference: Wei et al., 2021 (Orthogonal Jacobian Regularization for Unsupervised Disentanglement
    in Image Generation).
    """
    found = jacobian_penalties(
        fn,
        z,
        num_directions=num_directions,
        epsilon=epsilon,
        reduction=reduction,
        method=method,
        unbiased=unbiased,
        one_pass=one_pass,
        seed=seed,
    )
    return sum(tree.flatten(found))


def jacobian_penalties(fn, z, *, num_directions, seed, directions=None, **settings):
    """Like `orthogonal_jacobian`, but each tensor's penalty, in the structure of the output of
    `fn`.

    `directions` (batch, k, ...) of ones and minus ones may replace the random ones; a ValueError is
    raised if they have another shape.
    """
    check_settings(num_directions=num_directions, **settings)
    z, directions = point_and_directions(fn, z, int(num_directions), directions, seed)
    epsilon, reduction = float(settings["epsilon"]), settings["reduction"]
    evaluate, k = Flattened(fn), len(directions)
    scale = 1 / (k - 1 if settings["unbiased"] else k)
    if settings["method"] == "exact":
        changes = [directional_derivative(evaluate, z, v) for v in directions]
    else:
        points = [z, *(z + epsilon * v for v in directions)]
        here, *moved = evaluate.at(points, settings["one_pass"])
        changes = [[b - a for a, b in zip(here, there, strict=True)] for there in moved]
        scale /= epsilon**4
    lengths = [[_squared_length(x) for x in change] for change in changes]
    squares = [squares_about_mean(ks) for ks in zip(*lengths, strict=True)]
    return evaluate.packed([reduced(x, reduction, scale) for x in squares])


def _squared_length(x):
    """(batch, ...) to the sum of the squares of each example, (batch,)."""
    return ops.sum(ops.square(ops.reshape(x, (ops.shape(x)[0], -1))), axis=-1)
