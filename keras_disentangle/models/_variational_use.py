"""What one does with a variational model: encode, decode, sample, interpolate."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle.models._networks import batch_normalizations
from keras_disentangle.trainers.inference import inference


class VariationalUse:
    """The part of `VariationalModel` that uses its networks: all of it is made of their hooks."""

    @inference
    def encode(self, x):
        """Images (n, h, w, c) to (mean, log_var) of q(z|x), each (n, latent_dim), float32.

        Raises:
            ValueError: if the shape is another one, or if images lie outside [0, 1] where
                they must not.
        """
        self.check_batch(x)
        posteriors = self.infer(ops.convert_to_tensor(x, "float32"), training=False)
        parts = [ops.concatenate(part, axis=-1) for part in zip(*posteriors, strict=True)]
        return tuple(ops.cast(part, "float32") for part in parts)

    @inference
    def decode(self, z):
        """Codes (n, latent_dim) to images (n, h, w, c): probabilities, or means; float32.

        Raises:
            ValueError: if the shape is another one.
        """
        self._check_input("z", z, (self.latent_dim,))
        z = ops.convert_to_tensor(z, "float32")
        return self.image(self.generate(self.split(z), training=False))

    @inference
    def log_likelihood(self, x, z):
        """log p(x|z) in nats of images (n, h, w, c), each at its own code of (n, latent_dim).

        Returns:
            Tensor (n,), float32, summed over pixels.

        Raises:
            ValueError: if a shape is another one, or if images lie outside [0, 1] where
                they must not.
        """
        self.check_batch(x)
        self._check_input("z", z, (self.latent_dim,))
        if x.shape[0] != z.shape[0]:
            raise ValueError(
                "`x` and `z` must have one code for each image. "
                f"Received: x.shape={tuple(x.shape)}, z.shape={tuple(z.shape)}"
            )
        x, z = ops.convert_to_tensor(x, "float32"), ops.convert_to_tensor(z, "float32")
        return -self.negative_log_likelihood(x, self.generate(self.split(z), training=False))

    def image(self, prediction):
        """Logits or means of the decoder to images, float32: probabilities, or the means."""
        return self.observation.mean(prediction)

    @inference
    def reconstruct(self, x):
        """Images (n, h, w, c) to their reconstruction from the posterior's mean.

        Raises:
            ValueError: as `encode`.
        """
        return self.decode(self.encode(x)[0])

    @inference
    def sample(self, n, seed=None):
        """Draws `n` >= 1 images (n, h, w, c) from the prior; `seed` is an integer or `None`.

        Raises:
            ValueError: if `n` is not a positive integer.
        """
        n, seed = check_int("n", n), check_seed("seed", seed)
        return self.decode(keras.random.normal((n, self.latent_dim), seed=seed))

    @inference
    def interpolate(self, a, b, steps=8):
        """Images on the way from one to another: their posteriors' means, interpolated linearly.

        Args:
            a, b: images (n, h, w, c), the ends of n ways.
            steps: number of images on each, both ends included, >= 2.

        Returns:
            Tensor (n, steps, h, w, c). The first and last of each way are the reconstructions of
            the ends.

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
        (a, _), (b, _) = self.encode(a), self.encode(b)
        share = ops.reshape(ops.linspace(0.0, 1.0, steps), (1, steps, 1))
        z = a[:, None] * (1 - share) + b[:, None] * share
        images = self.decode(ops.reshape(z, (-1, self.latent_dim)))
        return ops.reshape(images, (-1, steps, *self.image_shape))

    def reestimate_batch_normalization(self, num_batches=100, batch_size=100, seed=None):
        """Sets the moving statistics of the decoder's batch normalisations to those of samples.

        While training they follow reconstructions; images from the prior want their own, at the
        cost of reconstructions, which change too. Each
        becomes the mean of the statistics of batches of decoded codes from the prior. To be called
        after training; networks without batch normalisation are left as they are. Dropout draws, as
        it does in training.

        Args:
            num_batches: how many batches, >= 1.
            batch_size: codes in each of them, >= 2.
            seed: integer or `None`.

        Raises:
            ValueError: if a number is out of range, or a batch normalisation is frozen: Keras then
                keeps its statistics.

        Reference: Lamb et al., 2016: their release does so before it samples.
        """
        num_batches = check_int("num_batches", num_batches)
        batch_size = check_int("batch_size", batch_size, minimum=2)
        generator = keras.random.SeedGenerator(check_seed("seed", seed))
        shape = (batch_size, self.latent_dim)
        self.average_statistics(
            keras.random.normal(shape, seed=generator) for _ in range(num_batches)
        )

    def average_statistics(self, codes):
        """Sets the moving statistics of the decoder's batch normalisations to means over batches.

        Args:
            codes: iterable of batches of codes (n, latent_dim), of which each is decoded once.

        Raises:
            ValueError: if a batch normalisation is frozen.
        """
        norms = batch_normalizations(*self.generative_networks)
        if frozen := [layer.path for layer in norms if not layer.trainable]:
            raise ValueError(
                "The decoder's batch normalisations must be trainable for their statistics to "
                f"move. Received: frozen {frozen}"
            )
        if not norms:
            return
        momenta = [layer.momentum for layer in norms]
        try:
            for done, z in enumerate(codes):
                for layer in norms:
                    layer.momentum = done / (done + 1)
                z = ops.convert_to_tensor(z, "float32")
                self.generate(self.split(z), training=True)
        finally:
            for layer, momentum in zip(norms, momenta, strict=True):
                layer.momentum = momentum

    def split(self, z):
        """Codes (n, latent_dim) as what `generate` takes: a list of (n, d_l), one of each rung."""
        return list(self.space.split(z).values())

    def _check_input(self, name, value, shape):
        received = getattr(value, "shape", None)
        if received is None or len(received) != len(shape) + 1 or tuple(received[1:]) != shape:
            raise ValueError(
                f"`{name}` must have the shape {('n', *shape)}. "
                f"Received: {value if received is None else f'{name}.shape={tuple(received)}'}"
            )
