"""Methods that use a variational model: encode, decode, sample, interpolate."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle.models._networks import batch_normalizations
from keras_disentangle.trainers.inference import inference


class VariationalUse:
    """The part of `VariationalModel` that uses its networks by the hooks `infer` and `generate`."""

    @inference
    def encode(self, x):
        """Images (n, h, w, c) to (mean, log_var) of q(z|x), each (n, latent_dim), float32.

        Raises:
            ValueError: if the shape is wrong, or if images lie outside [0, 1] where they must not.
        """
        self.check_batch(x)
        posteriors = self.infer(ops.convert_to_tensor(x, "float32"), training=False)
        parts = [ops.concatenate(part, axis=-1) for part in zip(*posteriors, strict=True)]
        return tuple(ops.cast(part, "float32") for part in parts)

    @inference
    def decode(self, z):
        """Codes (n, latent_dim) to images (n, h, w, c): probabilities, or means; float32.

        Raises:
            ValueError: if the shape is wrong.
        """
        self._check_input("z", z, (self.latent_dim,))
        z = ops.convert_to_tensor(z, "float32")
        return self.image(self.generate(self.split(z), training=False))

    @inference
    def log_likelihood(self, x, z):
        """log p(x|z) in nats of images (n, h, w, c), each given its own code, (n, latent_dim).

        Returns:
            Tensor (n,), float32, summed over pixels.

        Raises:
            ValueError: if a shape is wrong, or if images lie outside [0, 1] where they must not.
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
        """Logits or means of the decoder to images, float32: probabilities, or means."""
        return self.observation.mean(prediction)

    @inference
    def reconstruct(self, x):
        """Images (n, h, w, c) to their reconstructions from the posteriors' means.

        Raises:
            ValueError: as `encode`.
        """
        return self.decode(self.represent(x))

    def represent(self, x):
        """Images (n, h, w, c) to the codes that stand for them, (n, latent_dim): the posteriors'
        means; a hook."""
        return self.encode(x)[0]

    def draw_prior(self, n, seed=None):
        """Draws codes (n, latent_dim) from the prior; a hook."""
        return keras.random.normal((n, self.latent_dim), seed=seed)

    @inference
    def sample(self, n, seed=None):
        """Draws `n` >= 1 images (n, h, w, c) from the prior; `seed` is an integer or `None`.

        Raises:
            ValueError: if `n` is not a positive integer.
        """
        n, seed = check_int("n", n), check_seed("seed", seed)
        return self.decode(self.draw_prior(n, seed))

    @inference
    def interpolate(self, a, b, steps=8):
        """Decodes linear interpolations between the posterior means of pairs of images.

        Args:
            a, b: images (n, h, w, c), the endpoints of n interpolation paths.
            steps: number of images on each path, including both endpoints, >= 2.

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
        a, b = self.represent(a), self.represent(b)
        share = ops.reshape(ops.linspace(0.0, 1.0, steps), (1, steps, 1))
        z = a[:, None] * (1 - share) + b[:, None] * share
        images = self.decode(ops.reshape(z, (-1, self.latent_dim)))
        return ops.reshape(images, (-1, steps, *self.image_shape))

    def reestimate_batch_normalization(self, num_batches=100, batch_size=100, seed=None):
        """Sets the moving statistics of the decoder's batch normalisations to those of samples.

        In training they are statistics of reconstructions; samples from the prior need their own.
        Each becomes the mean over batches of codes that are drawn from the prior and decoded. This
        also changes reconstructions. Call it after training; networks without batch normalisation
        do not change. Dropout is active, as in training.

        Args:
            num_batches: number of batches, >= 1.
            batch_size: number of codes in each of them, >= 2.
            seed: integer or `None`.

        Raises:
            ValueError: if a number is out of range, or a batch normalisation is frozen, since Keras
                does not update its statistics.

        Reference: Lamb et al., 2016; the authors' release does this before it samples.
        """
        num_batches = check_int("num_batches", num_batches)
        batch_size = check_int("batch_size", batch_size, minimum=2)
        generator = keras.random.SeedGenerator(check_seed("seed", seed))
        self.average_statistics(self.draw_prior(batch_size, generator) for _ in range(num_batches))

    def average_statistics(self, codes):
        """Sets the moving statistics of the decoder's batch normalisations to means over batches.

        Args:
            codes: iterable of batches of codes (n, latent_dim), each of which is decoded once.

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
                z = ops.convert_to_tensor(z, "float32")
                self.generate(self.split(z), training=True)
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
