"""Methods that use a variational model: encode, decode, sample, interpolate."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle.models._networks import batch_normalizations
from keras_disentangle.models._parts import DecoderModel, EncoderModel
from keras_disentangle.trainers.inference import inference


class VariationalUse(EncoderModel, DecoderModel):
    """The part of `VariationalModel` that uses its networks by the hooks `infer` and `generate`."""

    @inference
    def encode(self, x, labels=None):
        """Images (n, h, w, c) to (mean, log_var) of q(z|x), each (n, latent_dim), float32.

        A conditional model whose encoder takes labels needs `labels`: one for each image, or one
        for all.

        Raises:
            ValueError: if the shape is wrong, or if images lie outside [0, 1] where they must not;
                if labels are missing, wrong or not wanted.
        """
        self.check_batch(x)
        given = self.given(labels, x.shape[0], self.inference_networks)
        posteriors = self.infer(ops.convert_to_tensor(x, "float32"), training=False, **given)
        parts = [ops.concatenate(part, axis=-1) for part in zip(*posteriors, strict=True)]
        return tuple(ops.cast(part, "float32") for part in parts)

    @inference
    def decode(self, z, labels=None):
        """Codes (n, latent_dim) to images (n, h, w, c): probabilities, or means; float32.

        A conditional model needs `labels`: one for each code, or one for all.

        Raises:
            ValueError: if the shape is wrong; if labels are missing, wrong or not wanted.
        """
        self._check_input("z", z, (self.latent_dim,))
        given = self.given(labels, z.shape[0])
        z = ops.convert_to_tensor(z, "float32")
        return self.image(self.generate(self.split(z), training=False, **given))

    @inference
    def log_likelihood(self, x, z, labels=None):
        """log p(x|z) in nats of images (n, h, w, c), each given its own code, (n, latent_dim).

        Of a conditional model log p(x|z, y), given `labels` as in `decode`.

        Returns:
            Tensor (n,), float32, summed over pixels.

        Raises:
            ValueError: if a shape is wrong, or if images lie outside [0, 1] where they must not; as
                `decode` for the labels.
        """
        self.check_batch(x)
        self._check_input("z", z, (self.latent_dim,))
        if x.shape[0] != z.shape[0]:
            raise ValueError(
                "`x` and `z` must have one code for each image. "
                f"Received: x.shape={tuple(x.shape)}, z.shape={tuple(z.shape)}"
            )
        x, z = ops.convert_to_tensor(x, "float32"), ops.convert_to_tensor(z, "float32")
        given = self.given(labels, z.shape[0])
        prediction = self.generate(self.split(z), training=False, **given)
        return -self.negative_log_likelihood(x, prediction)

    def image(self, prediction):
        """Logits or means of the decoder to images, float32: probabilities, or means."""
        return self.observation.mean(prediction)

    @inference
    def reconstruct(self, x, labels=None):
        """Images (n, h, w, c) to their reconstructions from the posteriors' means.

        Raises:
            ValueError: as `encode` and `decode`.
        """
        return self.decode(self.represent(x, labels), labels)

    def represent(self, x, labels=None):
        """Images (n, h, w, c) to the codes that stand for them, (n, latent_dim): the posteriors'
        means; a hook."""
        return self.encode(x, labels)[0]

    def draw_prior(self, n, seed=None):
        """Draws codes (n, latent_dim) from the prior; a hook."""
        return keras.random.normal((n, self.latent_dim), seed=seed)

    @inference
    def sample(self, n, seed=None, labels=None):
        """Draws `n` >= 1 images (n, h, w, c) from the prior; `seed` is an integer or `None`.

        Of a conditional model with `labels` (`n` labels, or one for all); without, classes are
        drawn with equal probabilities.

        Raises:
            ValueError: if `n` is not a positive integer; as `decode` for the labels; if there are
                none and the labels are attributes, which cannot be drawn.
        """
        n, seed = check_int("n", n), check_seed("seed", seed)
        return self.decode(self.draw_prior(n, seed), **self.drawn(labels, n, seed))

    @inference
    def interpolate(self, a, b, steps=8, labels=None):
        """Decodes linear interpolations between the posterior means of pairs of images.

        Args:
            a, b: images (n, h, w, c), the endpoints of n interpolation paths.
            steps: number of images on each path, including both endpoints, >= 2.
            labels: of a conditional model, the label of each path, (n,), or one for all.

        Returns:
            Tensor (n, steps, h, w, c). The first and last image of each path are the
            reconstructions of its endpoints.

        Raises:
            ValueError: if the shapes differ, or `steps` is less than 2; as `encode`.

        Reference: Lamb et al., 2016, section 5.4.
        """
        steps = check_int("steps", steps, minimum=2)
        if np.shape(a) != np.shape(b):
            raise ValueError(
                "`a` and `b` must have the same shape. "
                f"Received: a.shape={np.shape(a)}, b.shape={np.shape(b)}"
            )
        a, b = self.represent(a, labels), self.represent(b, labels)
        share = ops.reshape(ops.linspace(0.0, 1.0, steps), (1, steps, 1))
        z = a[:, None] * (1 - share) + b[:, None] * share
        # One label for each path, of all its images.
        labels = [ops.repeat(y, steps, axis=0) for y in self.given(labels, len(a)).values()]
        images = self.decode(ops.reshape(z, (-1, self.latent_dim)), *labels)
        return ops.reshape(images, (-1, steps, *self.image_shape))

    def reestimate_batch_normalization(
        self, num_batches=100, batch_size=100, seed=None, labels=None
    ):
        """Sets the moving statistics of the decoder's batch normalisations to those of samples.

        In training they are statistics of reconstructions; samples from the prior need their own.
        Each becomes the mean over batches of codes that are drawn from the prior and decoded. This
        also changes reconstructions. Call it after training; networks without batch normalisation
        do not change. Dropout is active, as in training.

        Args:
            num_batches: number of batches, >= 1.
            batch_size: number of codes in each of them, >= 2.
            seed: integer or `None`.
            labels: of a conditional model, labels (m,) from which those of each batch are drawn,
                such as those of the training images; without, classes are drawn with equal
                probabilities.

        Raises:
            ValueError: if a number is out of range, labels are wrong, or a batch normalisation is
                frozen, since Keras does not update its statistics.

        Reference: Lamb et al., 2016; the authors' release does this before it samples.
        """
        num_batches = check_int("num_batches", num_batches)
        batch_size = check_int("batch_size", batch_size, minimum=2)
        generator = keras.random.SeedGenerator(check_seed("seed", seed))
        if labels is not None:
            labels = self.given(labels, None)["labels"]

        def drawn():
            z = self.draw_prior(batch_size, generator)
            if self.labels is None:
                return z
            if labels is None:
                return z, self.labels.sample(batch_size, generator)
            rows = keras.random.randint((batch_size,), 0, len(labels), seed=generator)
            return z, ops.take(labels, rows, axis=0)

        self.average_statistics(drawn() for _ in range(num_batches))

    def average_statistics(self, codes):
        """Sets the moving statistics of the decoder's batch normalisations to means over batches.

        Args:
            codes: iterable of batches of codes (n, latent_dim), each of which is decoded once; of a
                conditional model, of pairs (codes, labels).

        Raises:
            ValueError: if a batch normalisation is frozen.
        """
        norms = batch_normalizations(*self.generative_networks)
        if frozen := [layer.path for layer in norms if not layer.trainable]:
            raise ValueError(
                "The decoder's batch normalisations must be trainable, so that their statistics "
                f"are updated. Received: frozen {frozen}"
            )
        if not norms:
            return
        momenta = [layer.momentum for layer in norms]
        try:
            for done, z in enumerate(codes):
                for layer in norms:
                    layer.momentum = done / (done + 1)
                z, labels = z if isinstance(z, tuple) else (z, None)
                z = ops.convert_to_tensor(z, "float32")
                given = self.given(labels, z.shape[0])
                self.generate(self.split(z), training=True, **given)
        finally:
            for layer, momentum in zip(norms, momenta, strict=True):
                layer.momentum = momentum

    def split(self, z):
        """Codes (n, latent_dim) as the list that `generate` takes: (n, d_l) for each rung."""
        return list(self.space.split(z).values())

    def _check_input(self, name, value, shape):
        received = getattr(value, "shape", None)
        if received is None or len(received) != len(shape) + 1 or tuple(received[1:]) != shape:
            raise ValueError(
                f"`{name}` must have the shape {('n', *shape)}. "
                f"Received: {value if received is None else f'{name}.shape={tuple(received)}'}"
            )
