"""A dense layer with an equalised learning rate."""

import keras

from keras_disentangle._arguments import check_int
from keras_disentangle.layers._equalized import Equalized


@keras.saving.register_keras_serializable("keras_disentangle")
class EqualizedDense(Equalized, keras.layers.Dense):
    r"""`keras.layers.Dense` with weights from N(0, 1), scaled by $gain / \sqrt{fan\_in}$ in use.

    `kernel` is the unscaled kernel, `scale` the factor.

    Args:
        units, ...: as in `keras.layers.Dense`.
        gain: standard deviation of an output for inputs of mean square 1, >= 0; the square root of
            2 by default, for a ReLU that follows.
        kernel_initializer: `None` for N(0, 1).

    Raises:
        ValueError: if `gain` is negative.

    Example:

    >>> kd.layers.EqualizedDense(1, gain=1.0)(np.zeros((8, 512))).shape
    (8, 1)

    Reference: Karras et al., 2018 (progressive GANs), section 4.1.
    """

    def __init__(self, units, *args, **kwargs):
        super().__init__(check_int("units", units), *args, **kwargs)

    def call(self, inputs, training=None):
        # Equivalent to scaling the kernel, which Keras would then save scaled.
        return super().call(inputs * self.scale, training=training)
