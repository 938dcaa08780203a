"""The encoder and the decoder of a model as functional Keras models, to be exported or reused."""

import keras

from keras_disentangle.models._conditioning import label_form


class DecoderModel:
    """The part of a model with `decode` that gives the decoder alone."""

    def decoder_model(self):
        """What `decode` computes, as a functional `keras.Model`; its `export` writes the decoder
        alone.

        It shares the networks with this model. Ramps that the images depend on keep the values that
        they have now.

        Returns:
            `keras.Model` from codes `z` (batch, latent_dim) to images (batch, h, w, c), float32.
            That of a conditional model takes a list [codes, labels]: classes (batch,), int32, or
            attributes (batch, d), float32.
        """
        z = keras.Input((self.latent_dim,), name="z")
        labels = self.label_inputs()
        return _functional([z, *labels], self.images_of(z, *labels), f"{self.name}_decoder")

    def images_of(self, z, labels=None):
        """`decode` of symbolic codes and labels; a hook."""
        return self.decode(z, labels)

    def label_inputs(self):
        """The symbolic labels of a conditional model, in a list; empty without labels; a hook."""
        if self.labels is None:
            return []
        if self.labels.num_classes is None:
            return [keras.Input((self.labels.dim,), name="labels")]
        return [keras.Input((), dtype="int32", name="labels")]


class EncoderModel:
    """The part of a model with `encode` and `label_inputs` that gives the encoder alone."""

    def encoder_model(self):
        """What `encode` computes, as a functional `keras.Model`; its `export` writes the encoder
        alone.

        It shares the networks with this model, as that of `decoder_model`. Images are not checked.

        Returns:
            `keras.Model` from images `x` (batch, h, w, c) to what `encode` returns. If a network
            takes labels, it takes a list [images, labels], as that of `decoder_model`.
        """
        x = keras.Input(self.image_shape, name="x")
        takes_labels = any(label_form(network) != 0 for network in self.inference_networks)
        labels = self.label_inputs() if takes_labels else []
        return _functional([x, *labels], self.codes_of(x, *labels), f"{self.name}_encoder")

    def codes_of(self, x, labels=None):
        """`encode` of symbolic images and labels; a hook."""
        return self.encode(x, labels)


def _functional(inputs, outputs, name):
    inputs = inputs if len(inputs) > 1 else inputs[0]
    model = keras.Model(inputs, outputs, name=name)
    model(inputs)  # `export` refuses a model that was never called.
    return model
