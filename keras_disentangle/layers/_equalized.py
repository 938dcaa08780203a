"""The base of the layers with an equalised learning rate."""

import math

import keras

from keras_disentangle._arguments import check_weight


class Equalized:
    """A mixin before a Keras layer with a `kernel`, which the layer multiplies by `scale`.

    The weights themselves are drawn from N(0, 1), so that an optimizer like Adam, whose steps do
    not depend on the scale of the gradient, changes all layers by similar relative amounts.
    """

    def __init__(self, *args, gain=2**0.5, kernel_initializer=None, **kwargs):
        if kernel_initializer is None:
            kernel_initializer = keras.initializers.RandomNormal(0.0, 1.0)
        super().__init__(*args, kernel_initializer=kernel_initializer, **kwargs)
        self.gain = check_weight("gain", gain)

    @property
    def scale(self):
        """The factor of the kernel: gain / sqrt(fan_in)."""
        return self.gain / math.sqrt(max(1, math.prod(self.kernel.shape[:-1])))

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}
