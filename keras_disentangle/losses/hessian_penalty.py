"""The Hessian Penalty: how far a network's Hessian is from diagonal."""

import warnings

import keras
import numpy as np
from keras import ops, tree

from keras_disentangle._arguments import check_flag, check_int, check_number, check_seed, is_choice
from keras_disentangle._keras_graph import all_layers
from keras_disentangle._tensors import widen
from keras_disentangle.losses._evaluation import Evaluation
from keras_disentangle.losses._precision import full_precision
from keras_disentangle.losses._second_derivative import second_derivative
from keras_disentangle.losses._spread import spread


def maximum(x):
    """The largest element of a tensor, or NaN, with a gradient that XLA keeps finite."""
    # The gradient of `ops.max` searches for elements equal to the maximum. XLA may recompute them
    # with other rounding and find none: NaN. `ops.argmax` alone may skip a NaN.
    x = ops.reshape(x, (-1,))
    largest = x[ops.argmax(x)]
    return ops.stop_gradient(ops.max(x)) + (largest - ops.stop_gradient(largest))


REDUCTIONS = {"max": maximum, "mean": ops.mean}
METHODS = ("finite_difference", "exact")
SMALLEST_STEP, LARGEST_STEP = 1e-6, 1e6
SMALLEST_VARIANCE = 1e-10  # added to the denominator of the normalised penalty


def hessian_penalty(
    fn,
    z,
    *,
    num_directions=2,
    epsilon=0.1,
    reduction="max",
    method="finite_difference",
    unbiased=True,
    one_pass=False,
    normalized=False,
    seed=None,
):
    r"""The Hessian Penalty of `fn` at `z`: minimising it makes the Hessian diagonal.

    For each element of the output of `fn`, with Hessian $H$ with respect to its example of `z`,

    $$\operatorname{Var}_v(v^T H v) = 2 \sum_{i \neq j} H_{ij}^2$$

    over random vectors $v$ of ones and minus ones, estimated from `num_directions` vectors (drawn
    anew for each example) and reduced over batch and elements to one number. For several output
    tensors, these numbers are added up. $v^T H v$ is the second difference

    $$[G(z + \epsilon v) - 2 G(z) + G(z - \epsilon v)] / \epsilon^2$$

    whose middle term is the same for all directions and so does not affect the variance: `fn` is
    evaluated 2 `num_directions` times, never at `z` itself. The penalty is differentiable with
    respect to all variables that `fn` uses.

    All evaluations use the current values of Keras's variables, and their updates are discarded. So
    dropout drops the same units at all points, moving statistics and the network's seed states stay
    unchanged, and `add_loss` in layers adds nothing. (The state of `seed` does advance.) The
    network must be built. Other inputs and arguments of a network are passed by a lambda:

        hessian_penalty(lambda z: generator([z, labels], training=True), z)

    The plain penalty can be lowered by shrinking the codes or the activations. `normalized` divides
    it by the same variance over Gaussian vectors, $2 \sum_{ij} H_{ij}^2$, both of them in units of
    the standard deviation s of each dimension of `z` over the batch:

    $$\frac{\operatorname{mean}_i \operatorname{Var}_{v \in \pm s}(v^T H_i v)}
    {\operatorname{mean}_i \operatorname{Var}_{v \sim N(0, s^2)}(v^T H_i v) + 10^{-10}}$$

    with the means over the elements of an example, and then the mean over the batch. It is the
    share of the squares off the diagonal, in [0, 1], as far as both variances are known: estimated
    from few vectors, the quotient of an example may exceed 1, by far where the denominator happens
    to be small. Where `fn` is linear in `z`, both variances are 0, and differences leave nothing
    but rounding errors: choose layers behind the first non-linearity. It costs twice the plain
    penalty, 4 `num_directions` evaluations.

    An output that does not depend on `z` has the penalty 0. Whether the layers in `fn` are suited
    for `one_pass` is not checked here; `kd.losses.HessianPenaltyLoss`, which knows the layers,
    refuses those that are not.

    In half precision, rounding errors are as large as the second differences themselves. So if `fn`
    is a layer or a model, it computes in float32 here, whatever its policy; layers that a lambda
    calls keep their policies, with a warning if the output has half precision.

    Args:
        fn: function from a tensor like `z` to a float tensor (batch, ...), or to tensors in any
            structure; a layer must be built.
        z: the point, float tensor (batch, ...), in units of the latent space.
        num_directions: k, the number of random vectors, at least 2.
        epsilon: step of the differences, in units of `z`, from 1e-6 to 1e6; not used by
            `method="exact"`.
        reduction: reduces the penalties of all elements, a tensor like `fn(z)`, to one number:
            "max", "mean" or a function from tensor to scalar.
        method: "finite_difference", or "exact" for derivatives by automatic differentiation. The
            latter is for smooth networks: the Hessian of a piecewise linear one, such as with
            (leaky) ReLU alone, is 0 almost everywhere.
        unbiased: whether the variance divides by k - 1; otherwise it divides by k.
        one_pass: whether to evaluate all 2k points as one batch of 2k times the size (z + epsilon v
            for every direction, then z - epsilon v). This is valid only if examples do not
            interact, as in batch normalisation in training, and nothing is drawn at random, as in
            dropout; other inputs of `fn` must fit that batch. It may be faster on a device that is
            not fully used by small batches. It needs hardly more memory, because the gradient
            needs all evaluations anyway.
        normalized: whether to divide as above; `reduction` and `unbiased` are then not used. The
            batch must have at least two examples.
        seed: a `keras.random.SeedGenerator`, an integer (the same directions at each call), or
            `None` for Keras's global generator, which JAX cannot compile. In a model, the generator
            must be an attribute.

    Returns:
        Scalar tensor, float32 or wider.

    Raises:
        ValueError: if an argument is out of range; `z` or an output of `fn` is not of floats, or
            lacks the batch axis; `fn` is a layer that is not built; `reduction` does not return a
            scalar.

    Example:

    >>> z = np.ones((8, 2))
    >>> kd.losses.hessian_penalty(lambda z: z[:, 0] * z[:, 1], z, num_directions=100)   # ~ 4

    References: Peebles et al., 2020 (The Hessian Penalty), eq. 4 and 5; Hsu et al., 2024 (Tripod)
    for the normalised penalty.
    """
    found = penalties(
        fn,
        z,
        num_directions=num_directions,
        epsilon=epsilon,
        reduction=reduction,
        method=method,
        unbiased=unbiased,
        one_pass=one_pass,
        normalized=normalized,
        seed=seed,
    )
    return sum(tree.flatten(found))


# Used by other files too


def check_settings(
    *,
    num_directions,
    epsilon,
    reduction,
    method,
    unbiased,
    one_pass,
    normalized=False,
    seed=None,
):
    """Raises a ValueError if a keyword of `hessian_penalty` is out of range."""
    check_int("num_directions", num_directions, minimum=2)
    check_step("epsilon", epsilon)
    if not callable(reduction) and not is_choice(reduction, REDUCTIONS):
        raise ValueError(
            f"`reduction` must be one of {tuple(REDUCTIONS)} or a function. "
            f"Received: reduction={reduction!r}"
        )
    if not is_choice(method, METHODS):
        raise ValueError(f"`method` must be one of {METHODS}. Received: method={method!r}")
    check_flag("unbiased", unbiased)
    check_flag("normalized", normalized)
    if check_flag("one_pass", one_pass) and method == "exact":
        raise ValueError('`one_pass` must be False where `method="exact"`. Received: one_pass=True')


def check_step(name, value):
    """`value` as a step of the differences, or a ValueError.

    Its fourth power, by which is divided, must be in the range of float32.
    """
    return check_number(name, value, SMALLEST_STEP, LARGEST_STEP)


def penalties(fn, z, *, num_directions, seed, directions=None, **settings):
    """Like `hessian_penalty`, but each tensor's penalty, in the structure of the output of `fn`.

    `directions` (batch, k, ...) of ones and minus ones may replace the random ones; a ValueError is
    raised if they have another shape. For the normalised penalty they are those of
    `signs_and_normals`, (batch, 2 k, ...), in units of `spread(z)` already.
    """
    check_settings(num_directions=num_directions, **settings)
    is_given, num_directions = directions is not None, int(num_directions)
    if settings.get("normalized"):
        z, directions = point_and_directions(
            fn, z, 2 * num_directions, directions, seed, signs_and_normals
        )
        if not is_given:
            scale = spread(z)
            directions = [scale * v for v in directions]
    else:
        z, directions = point_and_directions(fn, z, num_directions, directions, seed)
    # NumPy's small numbers would overflow in the computations.
    settings["epsilon"] = float(settings["epsilon"])
    return penalties_along(fn, z, directions, **settings)


def point_and_directions(fn, z, num_directions, directions, seed, draw=None):
    """`z` in float32 or wider, and the directions at it, a list of tensors like `z`.

    Args:
        fn, z, num_directions, directions, seed: as in `penalties`.
        draw: the function that draws directions, `rademacher` by default.

    Raises:
        ValueError: if `fn` is a layer that is not built, `z` is not a float tensor (batch, ...), or
            the given `directions` have another shape.
    """
    if isinstance(fn, keras.Layer) and not fn.built:
        # Its variables would be created inside, and then treated as constants.
        raise ValueError(f"`fn` must be built, if it is a layer. Received: fn={fn}")
    try:
        z = ops.convert_to_tensor(z)
    except OverflowError as error:  # raised by JAX for an integer of more than 32 bits
        raise ValueError(
            f"`z` must be a float tensor (batch, ...), batch > 0. Received: z={z!r}"
        ) from error
    if not keras.backend.is_float_dtype(z.dtype) or not len(z.shape) or 0 in z.shape:
        raise ValueError(
            "`z` must be a float tensor (batch, ...), batch > 0. "
            f"Received: z.shape={tuple(z.shape)}, z.dtype={_dtype(z)}"
        )
    z = widen(z)
    if directions is None:
        directions = (draw or rademacher)(ops.shape(z), num_directions, seed)
    directions = ops.cast(directions, z.dtype)
    expected, shape = (z.shape[0], num_directions, *z.shape[1:]), tuple(directions.shape)
    if len(shape) != len(expected) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(shape, expected, strict=True)
    ):
        raise ValueError(
            "`directions` must have the shape (batch, num_directions, ...) that goes with `z`, "
            f"{expected}. Received: directions.shape={shape}"
        )
    return z, [directions[:, i] for i in range(num_directions)]


def rademacher(shape, num_directions, seed):
    """Random ones and minus ones with equal probability, (batch, k, ...) for (batch, ...)."""
    batch, *rest = shape
    seed = check_seed("seed", seed, generator=True)
    bits = keras.random.randint((batch, num_directions, *rest), 0, 2, seed=seed)
    return 2 * ops.cast(bits, "float32") - 1


def signs_and_normals(shape, num_directions, seed):
    """Random directions of the normalised penalty, (batch, 2 k, ...) for (batch, ...): first k of
    ones and minus ones, then k standard normal ones. `num_directions` is 2 k."""
    batch, *rest = shape
    k = num_directions // 2
    seed = check_seed("seed", seed, generator=True)
    seeds = [seed, seed]
    if isinstance(seed, int):  # Otherwise the two would depend on each other.
        seeds = (np.random.SeedSequence(seed).generate_state(2) >> 1).tolist()
    normals = keras.random.normal((batch, k, *rest), dtype="float32", seed=seeds[1])
    return ops.concatenate([rademacher(shape, k, seeds[0]), normals], axis=1)


def penalties_along(
    fn, z, directions, *, epsilon, reduction, method, unbiased, one_pass, normalized=False
):
    """Like `penalties`, along given directions, a list of tensors like `z`."""
    evaluate, k = Flattened(fn), len(directions)
    scale = 1 / (k - 1 if unbiased else k)
    if method == "exact":
        curvatures = [second_derivative(evaluate, z, v) for v in directions]
    else:
        points = [z + sign * epsilon * v for sign in (1, -1) for v in directions]
        values = evaluate.at(points, one_pass)
        # Without the middle term; the division by epsilon^2 is in `scale`.
        curvatures = [
            [a + b for a, b in zip(*pair, strict=True)]
            for pair in zip(values[:k], values[k:], strict=True)
        ]
        scale /= epsilon**4

    if normalized:
        parts = curvatures[: k // 2], curvatures[k // 2 :]
        scale = 2 / k if method == "exact" else 2 / k / epsilon**4
        parts = ([scale * squares_about_mean(ks) for ks in zip(*x, strict=True)] for x in parts)
        return evaluate.packed([_quotient(*pair) for pair in zip(*parts, strict=True)])
    squares = [squares_about_mean(ks) for ks in zip(*curvatures, strict=True)]
    return evaluate.packed([reduced(x, reduction, scale) for x in squares])


def _quotient(above, below):
    """The mean quotient of two tensors' means over all axes but the first."""
    above, below = (ops.mean(ops.reshape(x, (ops.shape(x)[0], -1)), axis=1) for x in (above, below))
    return ops.mean(above / (below + SMALLEST_VARIANCE))


class Flattened:
    """A function of tensors `z` as one that returns a list of tensors, in float32 or wider.

    It computes with the current values of variables and without side effects, a layer in float32.
    """

    def __init__(self, fn):
        if not isinstance(fn, Evaluation):
            is_layer = isinstance(fn, keras.Layer)
            fn = Evaluation(full_precision(fn, all_layers(fn)) if is_layer else fn)
        self.fn, self.structure = fn, None

    def __call__(self, z):
        outputs = self.fn(z)
        self.structure = tree.map_structure(lambda _: 0, outputs)
        return _floats(outputs, z)

    def at(self, points, one_pass):
        """Its results at each of several points, tensors like `z`: a list of lists."""
        if not one_pass:
            return [self(point) for point in points]
        batch = self(ops.concatenate(points, axis=0))
        return list(zip(*[ops.split(y, len(points), axis=0) for y in batch], strict=True))

    def packed(self, values):
        """A value of each tensor, in the structure of the results of `fn`."""
        return tree.pack_sequence_as(self.structure, values)


def reduced(x, reduction, scale):
    """`x` times `scale`, reduced to a scalar, or a ValueError if `reduction` gives another shape.

    A named reduction comes first: the factor is then applied to a single number.
    """
    if isinstance(reduction, str):
        found = scale * REDUCTIONS[reduction](x)
    else:
        found = reduction(scale * x)
    found = ops.convert_to_tensor(found)
    if len(found.shape):
        raise ValueError(
            "`reduction` must return a scalar. "
            f"Received: reduction={reduction!r}, which returns shape {tuple(found.shape)}"
        )
    return found


def _floats(outputs, z):
    """The output tensors of `fn` as a list, in float32 or wider."""
    found = []
    for path, y in tree.flatten_with_path(outputs):
        name = "fn(z)" + "".join(f"[{key!r}]" for key in path)
        y = y if y is None else ops.convert_to_tensor(y)
        if y is None or not keras.backend.is_float_dtype(y.dtype):
            came = f"={y}" if y is None else f".dtype={_dtype(y)}"
            raise ValueError(f"`fn` must return tensors of floats. Received: {name}{came}")
        sizes = {size for size in (*z.shape[:1], *y.shape[:1]) if size is not None}
        if not len(y.shape) or len(sizes) > 1 or 0 in y.shape:
            raise ValueError(
                "`fn` must return tensors (batch, ...) with the batch size of `z`, none empty. "
                f"Received: {name}.shape={tuple(y.shape)}, z.shape={tuple(z.shape)}"
            )
        if _dtype(y) in ("bfloat16", "float16"):
            warnings.warn(
                f"`fn` computes in {_dtype(y)}, whose rounding errors are as large as the "
                "differences: the penalty is several times too large. Let the network "
                "compute in float32, or pass it as `fn` itself, whose layers then do",
                stacklevel=2,
            )
        found.append(widen(y))
    if not found:
        raise ValueError(f"`fn` must return at least one tensor. Received: fn(z)={outputs}")
    return found


def squares_about_mean(tensors):
    """The sum of the squared differences from the tensors' mean."""
    if len(tensors) == 2:  # With fewer passes over the memory.
        return 0.5 * ops.square(tensors[0] - tensors[1])
    mean = _sum(tensors) / len(tensors)
    return _sum([ops.square(x - mean) for x in tensors])


def _sum(tensors):
    return sum(tensors[1:], tensors[0])


def _dtype(x):
    return keras.backend.standardize_dtype(x.dtype)
