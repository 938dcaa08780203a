"""Discriminative regularisation of Lamb et al. (2016)."""

from keras_disentangle import _lazy

__getattr__, __dir__ = _lazy.attributes(
    __name__, dict.fromkeys(["application", "networks", "recipes"])
)
