"""Random affine transformations of images, through which gradients pass."""

import math

import keras
from keras import ops

from keras_disentangle._arguments import check_int, check_number, check_seed
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._tensors import check_same_batch, check_width


@keras.saving.register_keras_serializable("keras_disentangle")
class RandomAffine(keras.layers.Layer):
    """Shifts, rotates, shears and scales each image, by amounts of its own, drawn uniformly.

    In this order, all but the shift about the centre. Images are read between their pixels by
    bilinear interpolation, once; beyond their edge the pixels of the edge go on. Gradients pass to
    the images, on every backend and under XLA, which an objective of generated images needs.

    Args:
        rotation: largest angle in degrees, in [0, 180]; positive angles are counter-clockwise.
        shear: how far a row is moved sideways at most, in multiples of its distance from the centre
            row, >= 0: 1 makes a vertical line a diagonal.
        zoom: largest change of width and of height, each drawn for itself, in [0, 1): 0.1 for
            scales from 0.9 to 1.1.
        translation: largest shift in widths and heights of the image, in [0, 1].
        seed: seed of the transformations that `call` draws itself.
        **kwargs: as for a Keras layer.

    Call arguments:
        images: tensor (batch, h, w, c); integers become float32, floats keep their type.
        training: without it the images stay as they are, unless `parameters` are given.
        parameters: transformations (batch, 6) from `draw`; by default new ones.

    Raises:
        ValueError: if an argument is out of range or of another shape, or Keras's
            `image_data_format` is "channels_first".

    Example:

    >>> kd.layers.RandomAffine(rotation=15.0)(np.zeros((8, 28, 28, 1)), training=True).shape
    (8, 28, 28, 1)
    """

    def __init__(
        self, rotation=15.0, shear=0.4, zoom=0.1, translation=0.07, *, seed=None, **kwargs
    ):
        check_channels_last("`RandomAffine`")
        # The images keep their type, and the parameters are not rounded to it.
        super().__init__(autocast=False, **kwargs)
        self.rotation = check_number("rotation", rotation, minimum=0, maximum=180)
        self.shear = check_number("shear", shear, minimum=0)
        self.zoom = check_number("zoom", zoom, minimum=0, below=1)
        self.translation = check_number("translation", translation, minimum=0, maximum=1)
        self.seed = check_seed("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.built = True

    def draw(self, n, seed=None):
        """Transformations of `n` images, float32 (n, 6): the angle in radians, the shear, the
        scales of width and height, and the shifts in widths and heights.

        Args:
            n: number of images.
            seed: a `keras.random.SeedGenerator`; by default that of the layer.
        """
        if isinstance(n, (int, float)):
            n = check_int("n", n, minimum=0)
        seed = self.seed_generator if seed is None else seed
        low = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0)
        most = (math.radians(self.rotation), self.shear, *[self.zoom] * 2, *[self.translation] * 2)
        return ops.array(low) + ops.array(most) * keras.random.uniform(
            (n, 6), -1.0, 1.0, dtype="float32", seed=seed
        )

    def call(self, images, training=False, parameters=None):
        _check_images(images)
        dtype = _dtype(images)
        if parameters is None:
            if not training:
                return ops.cast(images, dtype)
            parameters = self.draw(ops.shape(images)[0])
        check_width("parameters", parameters, 6)
        check_same_batch("images", images, "parameters", parameters)
        _, h, w, channels = images.shape
        angle, shear, *scales = ops.split(ops.cast(parameters, "float32"), 6, axis=1)
        width, height, across, down = scales
        # Where each pixel is read, from the centre.
        x, y = ops.meshgrid(_centred(w), _centred(h))
        x, y = ops.reshape(x, (1, -1)) / width, ops.reshape(y, (1, -1)) / height
        x = x - shear * y
        cos, sin = ops.cos(angle), ops.sin(angle)
        x, y = cos * x - sin * y, sin * x + cos * y
        left, right, in_x = _neighbours(x - across * w, w)
        top, bottom, in_y = _neighbours(y - down * h, h)
        flat = ops.reshape(images, (-1, h * w, channels))

        def at(row, column):
            index = ops.broadcast_to((row * w + column)[:, :, None], ops.shape(flat))
            return ops.cast(ops.take_along_axis(flat, index, axis=1), "float32")

        above = at(top, left) * (1 - in_x) + at(top, right) * in_x
        below = at(bottom, left) * (1 - in_x) + at(bottom, right) * in_x
        found = above * (1 - in_y) + below * in_y
        return ops.cast(ops.reshape(found, (-1, h, w, channels)), dtype)

    def compute_output_spec(self, images, training=False, parameters=None):
        _check_images(images)
        return keras.KerasTensor(images.shape, _dtype(images))

    def get_config(self):
        names = ("rotation", "shear", "zoom", "translation", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _check_images(images):
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or None in shape[1:]:
        raise ValueError(
            "`images` must be a tensor (batch, h, w, c) of known height and width. "
            f"Received: images.shape={shape}"
        )


def _dtype(images):
    dtype = keras.backend.standardize_dtype(images.dtype)
    return dtype if keras.backend.is_float_dtype(dtype) else "float32"


def _centred(size):
    return ops.arange(size, dtype="float32") - (size - 1) / 2


def _neighbours(position, size):
    """The two pixels around a position from the centre, and how far it is to the second one."""
    position = ops.clip(position + (size - 1) / 2, 0.0, float(size - 1))
    first = ops.floor(position)
    second = ops.minimum(first + 1, float(size - 1))
    inside = (position - first)[:, :, None]
    return ops.cast(first, "int32"), ops.cast(second, "int32"), inside
