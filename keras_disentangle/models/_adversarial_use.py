"""Methods that use a generator: decode, sample."""

from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle.models._parts import DecoderModel
from keras_disentangle.trainers.inference import inference


class AdversarialUse(DecoderModel):
    """The part of `GAN` that generates images from codes."""

    @inference
    def decode(self, z, labels=None):
        """Codes (n, space.dim) to images in [0, 1], (n, h, w, c) float32.

        A conditional model needs `labels`: one for each code, or one for all.

        Raises:
            ValueError: if the shape is wrong, or labels are missing, wrong or not wanted.
        """
        z = ops.convert_to_tensor(z, "float32")
        if len(z.shape) != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(
                f"`z` must have the shape (n, {self.latent_dim}). "
                f"Received: z.shape={tuple(z.shape)}"
            )
        given = self.given(labels, z.shape[0])
        return self([z, given["labels"]] if given else z, training=False)

    def images_of(self, z, labels=None):
        # Not a call of the whole model, whose discriminator would then be part of the graph.
        return self.call(z if labels is None else [z, labels], training=False)

    @inference
    def sample(self, n, seed=None, labels=None):
        """Draws `n` >= 1 images (n, h, w, c) in [0, 1]; `seed` is an integer or `None`.

        Of a conditional model with `labels` (`n` labels, or one for all); without, classes are
        drawn with equal probabilities.

        Raises:
            ValueError: if `n` is not a positive integer; as `decode` for the labels; if there are
                none and the labels are attributes, which cannot be drawn.
        """
        z = self.space.sample(check_int("n", n), seed=seed)
        return self.decode(z, **self.drawn(labels, n, seed))
