"""What the layers with an equalised learning rate have in common."""

import math

import keras

from keras_disentangle._arguments import check_weight


class Equalized:
    """Goes before a Keras layer that has a `kernel`, which the layer multiplies with `scale`.

    The weights themselves are drawn from N(0, 1), so that an optimizer like Adam, whose steps do
    not depend on the scale of the gradient, moves all layers alike, relative to their size.
    """

    def __init__(self, *args, gain=2**0.5, kernel_initializer=None, **kwargs):
        if kernel_initializer is None:
            kernel_initializer = keras.initializers.RandomNormal(0.0, 1.0)
        super().__init__(*args, kernel_initializer=kernel_initializer, **kwargs)
        self.gain = check_weight("gain", gain)

    @property
    def scale(self):
        """What the kernel is multiplied with: gain / sqrt(fan_in)."""
        return self.gain / math.sqrt(max(1, math.prod(self.kernel.shape[:-1])))

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}
