"""Weights of stored statistics for a truncation of the latents."""

import math
import numbers

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, is_choice

INTERPOLATIONS = ("published", "linear")


@keras.saving.register_keras_serializable("keras_disentangle")
class Truncation(keras.layers.Layer):
    """Returns the weights for mixing statistics that are stored for several truncations.

    Row k of `num_statistics` rows belongs to the truncation k / (num_statistics - 1). The weights,
    (1, num_statistics), are a variable that `set` writes, so that nothing is compiled again and
    they are saved with the model.

    Args:
        num_statistics: number of rows, >= 2.
        interpolation: `"linear"` between the two neighbouring rows, or `"published"`, as in the
            published BigGAN-deep, which swaps the weights of the two rows and finds the rows in
            double precision (0.14 / 0.02 = 7.000000000000001 is above row 7, so row 8 is used).

    Call arguments:
        x: any tensor, which is ignored.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> truncation = kd.layers.Truncation()
    >>> truncation.set(0.4)
    >>> float(truncation(np.zeros((8, 128)))[0, 20])
    1.0

    Reference: Brock et al., 2019 (BigGAN), section 3.1 and appendix B.
    """

    def __init__(self, num_statistics=51, interpolation="published", **kwargs):
        super().__init__(**kwargs)
        self.num_statistics = check_int("num_statistics", num_statistics, minimum=2)
        if not is_choice(interpolation, INTERPOLATIONS):
            raise ValueError(
                f"`interpolation` must be one of {INTERPOLATIONS}. "
                f"Received: interpolation={interpolation!r}"
            )
        self.interpolation = interpolation
        self.value, self.row_weights = (
            self.add_weight(
                shape=shape,
                initializer="zeros",
                dtype="float32",
                trainable=False,
                autocast=False,
                name=name,
            )
            for name, shape in (("value", ()), ("row_weights", (1, self.num_statistics)))
        )
        self.built = True
        self.set(1.0)

    def set(self, truncation):
        """Writes the weights for a truncation in (0, 1].

        Raises:
            ValueError: if `truncation` lies outside.
        """
        truncation = check_truncation(truncation)
        coefficient, row = math.modf(truncation / (1 / (self.num_statistics - 1)))
        row = int(row)
        weights = np.zeros((1, self.num_statistics), "float32")
        if coefficient == 0 or row + 1 == self.num_statistics:
            weights[0, row] = 1.0
        else:
            pair = [coefficient, 1 - coefficient]
            weights[0, row : row + 2] = pair if self.interpolation == "published" else pair[::-1]
        self.value.assign(truncation)
        self.row_weights.assign(weights)

    def get(self):
        """The truncation that was last set or loaded, a float."""
        # Through the shortest decimal, so that 0.4 stored in float32 is 0.4 again.
        return float(str(np.float32(ops.convert_to_numpy(self.value))))

    def call(self, x):
        return ops.convert_to_tensor(self.row_weights)

    def compute_output_spec(self, x):
        return keras.KerasTensor((1, self.num_statistics), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_statistics": self.num_statistics,
            "interpolation": self.interpolation,
        }


def check_truncation(truncation):
    """`truncation` as a float in (0, 1], or a ValueError."""
    is_number = isinstance(truncation, numbers.Real) and not isinstance(truncation, bool)
    if not is_number or not 0 < truncation <= 1:
        raise ValueError(
            f"`truncation` must be a number in (0, 1]. Received: truncation={truncation!r}"
        )
    return float(truncation)
