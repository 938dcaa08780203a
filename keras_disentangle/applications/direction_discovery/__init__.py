"""Directions in the latent spaces of trained generators (Peebles et al., 2020, section 4.4)."""

from keras_disentangle import _lazy

__getattr__, __dir__ = _lazy.attributes(
    __name__, dict.fromkeys(["application", "networks", "recipes"])
)
