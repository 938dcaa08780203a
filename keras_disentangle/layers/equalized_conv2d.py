"""A convolution with an equalised learning rate."""

import keras

from keras_disentangle._arguments import check_choice, check_int
from keras_disentangle.layers._equalized import Equalized


@keras.saving.register_keras_serializable("keras_disentangle")
class EqualizedConv2D(Equalized, keras.layers.Conv2D):
    r"""`keras.layers.Conv2D` with weights from N(0, 1), scaled by $gain / \sqrt{fan\_in}$ in use.

    `kernel` is the unscaled kernel, `scale` the factor.

    Args:
        filters, kernel_size, ...: as in `keras.layers.Conv2D`, but with the default
            `padding="same"`.
        gain, kernel_initializer: as in `EqualizedDense`.

    Raises:
        ValueError: if `gain` is negative.

    Example:

    >>> kd.layers.EqualizedConv2D(64, 3)(np.zeros((8, 4, 4, 512))).shape
    (8, 4, 4, 64)

    Reference: Karras et al., 2018 (progressive GANs), section 4.1.
    """

    def __init__(self, filters, kernel_size, padding="same", **kwargs):
        filters = check_int("filters", filters)
        check_choice("padding", padding, ("valid", "same"))
        super().__init__(filters, kernel_size, padding=padding, **kwargs)

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel * self.scale)
