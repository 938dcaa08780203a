"""The module of the chosen backend: training steps, gradients, replicas and processes, checks, and
images on the device."""

import keras

if keras.backend.backend() == "tensorflow":
    from keras_disentangle.trainers import _tensorflow as backend
elif keras.backend.backend() == "jax":
    from keras_disentangle.trainers import _jax as backend
else:
    from keras_disentangle.trainers import _torch as backend

__all__ = ["backend"]
