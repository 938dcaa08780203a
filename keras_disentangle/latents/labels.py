"""What the labels of a conditional model are."""

import numbers

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents._code import check_draw


@keras.saving.register_keras_serializable("keras_disentangle")
class Labels:
    """The labels of a conditional model: one of several classes, or a vector of attributes.

    Classes are given as integers, (n,) or (n, 1), or as one-hot vectors, (n, num_classes);
    attributes as finite numbers, (n, num_attributes).

    Args:
        num_classes: number of classes, >= 2, or `None` for attributes.
        num_attributes: number of attributes, >= 1, or `None` for classes.

    Attributes:
        dim: width of a label as a vector: `num_classes` or `num_attributes`.

    Raises:
        ValueError: unless one of the two is given and in range.

    Example:

    >>> labels = kd.latents.Labels(10)
    >>> labels.check("labels", 3, n=2)
    array([3, 3], dtype=int32)
    """

    def __init__(self, num_classes=None, num_attributes=None):
        if (num_classes is None) == (num_attributes is None):
            raise ValueError(
                "`num_classes` or `num_attributes` must be given, and not both. "
                f"Received: num_classes={num_classes!r}, num_attributes={num_attributes!r}"
            )
        if num_attributes is None:
            self.dim = num_classes = check_int("num_classes", num_classes, minimum=2)
        else:
            self.dim = num_attributes = check_int("num_attributes", num_attributes)
        self.num_classes = num_classes
        self.num_attributes = num_attributes

    def check(self, name, labels, n=None):
        """Labels as a NumPy array: int32 classes (n,), or float32 attributes (n, num_attributes).

        Args:
            name: the argument's name in errors.
            labels: the labels; a single class or vector stands for `n` equal ones.
            n: how many there must be, or `None` for any number.

        Raises:
            ValueError: if the labels have another shape or number, are out of range or not finite,
                or are not numbers.
        """
        array = to_numpy(name, labels)
        is_single = array.shape == (() if self.num_attributes is None else (self.dim,))
        array = array[None] if is_single else array
        found, is_right = self.read(name, array, np)
        if not is_right:
            bad = "a number that is not finite"
            if self.num_classes is not None:
                bad = f"values from {array.min()} to {array.max()}, of the type {array.dtype}"
            raise ValueError(f"`{name}` must be {self.expected}. Received: {bad}")
        if n is not None and len(found) != n:
            if len(found) != 1:
                raise ValueError(
                    f"`{name}` must be one label, or {n} of them. Received: {len(found)} labels"
                )
            found = np.repeat(found, n, axis=0)
        if not len(found):
            raise ValueError(f"`{name}` must hold at least one label. Received: an empty array")
        return found

    def read(self, name, labels, xp=ops):
        """Labels of a batch in the form of `check`, and whether their values are right.

        Args:
            name: the argument's name in errors.
            labels: tensor; values are not known while a function is traced.
            xp: `keras.ops`, or `numpy` for an array.

        Returns:
            (labels, boolean scalar). Wrong classes become 0.

        Raises:
            ValueError: if the shape is wrong.
        """
        shape = tuple(labels.shape)
        is_vector = len(shape) == 2 and shape[1] == self.dim
        is_index = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
        if not (is_vector or (is_index and self.num_attributes is None)):
            raise ValueError(f"`{name}` must be {self.expected}. Received: {name}.shape={shape}")
        values = _float32(labels, xp)
        if self.num_attributes is not None:
            return values, xp.all(xp.isfinite(values))
        if is_vector:
            # `==` compares symbolic tensors by identity.
            is_right = xp.all(xp.equal(values, 0) | xp.equal(values, 1))
            is_right = is_right & xp.all(xp.equal(xp.sum(values, axis=-1), 1))
            return _int32(xp.argmax(values, axis=-1), xp), is_right
        values = xp.reshape(values, (-1,))
        is_whole = xp.equal(values, xp.floor(values))
        inside = (values >= 0) & (values < self.num_classes) & is_whole
        return _int32(xp.where(inside, values, xp.zeros_like(values)), xp), xp.all(inside)

    def sample(self, n, seed=None):
        """Draws `n` classes with equal probabilities, int32 (n,).

        Args:
            n: number of labels, an integer >= 1.
            seed: integer, `keras.random.SeedGenerator` or `None`. An integer gives another stream
                than the same seed of a `LatentSpace`.

        Raises:
            ValueError: for attributes, whose distribution is not known, or if an argument is out of
                range.
        """
        if self.num_classes is None:
            raise ValueError(
                "`labels` must be given: attributes have no known distribution to draw from. "
                "Received: labels=None"
            )
        n, seed = check_draw(n, seed)
        if isinstance(seed, int):
            seed = int(np.random.SeedSequence([seed, 1]).generate_state(1)[0]) >> 1
        return keras.random.randint((n,), 0, self.num_classes, dtype="int32", seed=seed)

    def get_config(self):
        return {"num_classes": self.num_classes, "num_attributes": self.num_attributes}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __repr__(self):
        given = {key: value for key, value in self.get_config().items() if value is not None}
        return f"Labels({', '.join(f'{key}={value}' for key, value in given.items())})"

    @property
    def expected(self):
        """What labels must be, as said in errors."""
        if self.num_classes is None:
            return f"finite numbers (n, {self.dim})"
        return f"integers (n,) from 0 to {self.dim - 1}, or one-hot vectors (n, {self.dim})"


def as_labels(labels):
    """The argument `labels` of a model: `None`, a `Labels`, or a number of classes.

    Raises:
        ValueError: if it is none of these.
    """
    if labels is None or isinstance(labels, Labels):
        return labels
    if isinstance(labels, numbers.Integral) and not isinstance(labels, bool) and labels >= 2:
        return Labels(int(labels))
    raise ValueError(
        "`labels` must be None, a number of classes >= 2, or a `kd.latents.Labels`. "
        f"Received: labels={labels!r}"
    )


def _float32(x, xp):
    return x.astype("float32") if xp is np else ops.cast(x, "float32")


def _int32(x, xp):
    return x.astype("int32") if xp is np else ops.cast(x, "int32")
