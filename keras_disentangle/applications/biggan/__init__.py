"""BigGAN and BigGAN-deep of Brock et al. (2019): the class-conditional generators."""

from keras_disentangle import _lazy

__getattr__, __dir__ = _lazy.attributes(
    __name__, dict.fromkeys(["biggan", "checkpoint", "convert", "networks"])
)
