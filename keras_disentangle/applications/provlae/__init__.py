"""The progressive ladder VAE of Li et al. (2020)."""

from keras_disentangle import _lazy

__getattr__, __dir__ = _lazy.attributes(
    __name__, dict.fromkeys(["application", "networks", "recipes"])
)
