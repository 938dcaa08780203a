"""Pixels as images on the host have them."""

from keras import ops


def as_floats(pixels):
    """uint8 pixels divided by 255, to float32 in [0, 1], with the last digit that NumPy gives.

    Compilers turn a division by one number into a multiplication by its inverse, which rounds
    differently: here every pixel has a divisor of its own, which for 0 may be any.
    """
    return ops.cast(pixels, "float32") / ops.where(ops.equal(pixels, 0), 1.0, 255.0)
