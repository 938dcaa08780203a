"""Progressive GANs of Karras et al. (2018), as regularised by Peebles et al. (2020)."""

from keras_disentangle import _lazy

__getattr__, __dir__ = _lazy.attributes(
    __name__, dict.fromkeys(["application", "networks", "recipes"])
)
