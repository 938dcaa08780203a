"""The head of a discriminator whose logit depends on a label by a projection."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_flag, check_int
from keras_disentangle._tensors import check_same_batch, to_numpy
from keras_disentangle.layers.spectral_dense import SpectralDense


@keras.saving.register_keras_serializable("keras_disentangle")
class ProjectionHead(keras.layers.Layer):
    r"""The logit of a projection discriminator, from features of an image and its label.

    $$f(x, y) = y^\top V \phi(x) + \psi(\phi(x))$$

    with the label y as a one-hot vector or a vector of attributes, a matrix V (`projection`) and a
    dense layer $\psi$ (`logit`). Feature maps are summed over their pixels first, as in the
    authors' networks.

    Args:
        num_classes: number of classes, if labels are given as integers; `None` if they are vectors.
        spectral: whether V and the kernel of $\psi$ have spectral normalisation, as in the paper.

    Call arguments:
        features: $\phi(x)$, a tensor (batch, d) or (batch, ..., d).
        labels: integers (batch,) or (batch, 1), or vectors (batch, k). In a compiled step, and on a
            GPU with PyTorch, a class out of range is not noticed: it then has no projection, as a
            vector of zeros (models with `labels` refuse it).

    Raises:
        ValueError: if an argument is out of range, labels have another shape, or a class is out of
            range and its value known.

    Example:

    >>> kd.layers.ProjectionHead(10)(np.zeros((8, 5)), np.arange(8)).shape
    (8, 1)

    Reference: Miyato & Koyama, 2018 (cGANs with projection discriminator), equation 3.
    """

    def __init__(self, num_classes=None, spectral=False, **kwargs):
        super().__init__(**kwargs)
        if num_classes is not None:
            num_classes = check_int("num_classes", num_classes, minimum=2)
        self.num_classes = num_classes
        self.spectral = check_flag("spectral", spectral)

    def build(self, features_shape, labels_shape):
        if len(features_shape) < 2:
            raise ValueError(
                "`features` must be a tensor (batch, ..., d). "
                f"Received: features.shape={tuple(features_shape)}"
            )
        shape = tuple(labels_shape)
        is_index = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
        if self.num_classes is not None and not is_index and shape[1:] != (self.num_classes,):
            raise ValueError(
                "`labels` must be integers (batch,) or (batch, 1), or one-hot vectors (batch, "
                f"{self.num_classes}). Received: labels.shape={shape}"
            )
        if self.num_classes is None and len(shape) != 2:
            raise ValueError(
                "`labels` must be vectors (batch, k); for integers, give `num_classes`. "
                f"Received: labels.shape={shape}"
            )
        self.is_index = is_index and self.num_classes is not None
        dense = SpectralDense if self.spectral else keras.layers.Dense
        channels = features_shape[-1]
        self.projection = dense(
            channels, use_bias=False, dtype=self.dtype_policy, name="projection"
        )
        self.logit = dense(1, dtype=self.dtype_policy, name="logit")
        self.projection.build((None, self.num_classes if self.is_index else shape[1]))
        self.logit.build((None, channels))

    def call(self, features, labels, training=False):
        check_same_batch("features", features, "labels", labels)
        if len(features.shape) > 2:
            features = ops.sum(features, axis=tuple(range(1, len(features.shape) - 1)))
        if self.is_index:
            labels = ops.reshape(labels, (-1, 1))
            self._check_classes(labels)
            # Not `ops.one_hot`: PyTorch refuses wrong classes, on a GPU by ending the process.
            classes = ops.arange(self.num_classes, dtype="int32")
            labels = ops.cast(ops.equal(ops.cast(labels, "int32"), classes), self.compute_dtype)
        options = {"training": training} if self.spectral else {}
        inner = features * self.projection(labels, **options)
        return ops.sum(inner, axis=-1, keepdims=True) + self.logit(features, **options)

    def _check_classes(self, labels):
        """Raises a ValueError for classes out of range, if their values are known."""
        if getattr(labels, "is_cuda", False):  # Reading them would wait for the GPU.
            return
        try:
            labels = to_numpy("labels", labels)
        except ValueError:  # While a function is compiled.
            return
        wrong = labels[(labels < 0) | (labels >= self.num_classes) | (labels != np.floor(labels))]
        if wrong.size:
            raise ValueError(
                f"`labels` must be integers from 0 to {self.num_classes - 1}. "
                f"Received: {wrong[0]:g} among {labels.size} labels"
            )

    def compute_output_shape(self, features_shape, labels_shape=None):
        return (features_shape[0], 1)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "spectral": self.spectral,
        }
