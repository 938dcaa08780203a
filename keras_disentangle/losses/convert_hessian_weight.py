"""Converts the weight of a Hessian Penalty between estimators."""

import math

from keras_disentangle._arguments import check_flag, check_int, check_weight
from keras_disentangle.losses.hessian_penalty import check_step


def convert_hessian_weight(
    weight,
    *,
    epsilon=0.1,
    new_epsilon=None,
    num_directions=2,
    new_num_directions=None,
    unbiased=True,
    new_unbiased=None,
    power=4,
):
    r"""Converts the weight of a Hessian Penalty to another estimator, with the same effect.

    $$\lambda' = \lambda \left(\frac{\epsilon'}{\epsilon}\right)^p \frac{f}{f'}$$

    with f = 1 for the unbiased variance and (k - 1) / k for the variance that divides by k.

    The form of the variance is converted exactly: for equal directions the penalties differ by that
    factor. So the paper's 0.1, which belongs to a variance over two directions that divides by 2,
    becomes 0.05 here. The number of directions is converted in expectation, for the reduction
    "mean"; with "max", the maximum of more accurate estimates is also smaller.

    The effect of the step depends on the network: the penalty is assumed to be proportional to
    $\epsilon^{-p}$. That holds with

    - p = 0 for a smooth network and a small step: the differences have converged;
    - p = 1 with "mean" and 2 with "max" for a piecewise linear network, as with (leaky) ReLU, and
      a small step: all curvature is in kinks, and a smaller step crosses fewer of them, at which
      the differences are larger;
    - p = 4, the authors' rule and the extreme case, in which the numerator of the differences no
      longer depends on the step: the step is so large that bounded outputs saturate, or so small
      that the numerator is rounding error.

    Args:
        weight: λ, a number >= 0.
        epsilon: step of the differences, in units of z.
        new_epsilon, new_num_directions, new_unbiased: the new values of these arguments; by
            default unchanged.
        num_directions: k, >= 2.
        unbiased: whether the variance divides by k - 1 rather than by k.
        power: p, a number >= 0.

    Returns:
        λ', a float.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> kd.losses.convert_hessian_weight(0.1, unbiased=False, new_unbiased=True)
    0.05

    Reference: Peebles et al., 2020 (The Hessian Penalty), appendix A.1, and the authors' advice on
    epsilon beside their code.
    """
    weight, power = check_weight("weight", weight), check_weight("power", power)
    new_epsilon = epsilon if new_epsilon is None else new_epsilon
    new_num_directions = num_directions if new_num_directions is None else new_num_directions
    new_unbiased = unbiased if new_unbiased is None else new_unbiased
    epsilon = check_step("epsilon", epsilon)
    new_epsilon = check_step("new_epsilon", new_epsilon)
    check_flag("unbiased", unbiased)
    check_flag("new_unbiased", new_unbiased)
    num_directions = check_int("num_directions", num_directions, minimum=2)
    new_num_directions = check_int("new_num_directions", new_num_directions, minimum=2)
    factor = 1 if unbiased else (num_directions - 1) / num_directions
    new_factor = 1 if new_unbiased else (new_num_directions - 1) / new_num_directions
    try:
        new_weight = weight * (new_epsilon / epsilon) ** power * factor / new_factor
    except OverflowError:
        new_weight = math.inf
    if not math.isfinite(new_weight):
        raise ValueError(
            "`epsilon`, `new_epsilon` and `power` must leave the new weight finite. "
            f"Received: epsilon={epsilon}, new_epsilon={new_epsilon}, power={power}"
        )
    return new_weight
