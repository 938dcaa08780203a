"""The methods of the field on equal terms: equal data, latents, networks and steps."""

from keras_disentangle import _lazy

__getattr__, __dir__ = _lazy.attributes(
    __name__, dict.fromkeys(["application", "networks", "recipes"])
)
