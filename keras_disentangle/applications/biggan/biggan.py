"""BigGANs, ready-made."""

import contextlib
import numbers

import keras
import numpy as np
from keras import ops
from scipy.stats import truncnorm

from keras_disentangle._arguments import check_int
from keras_disentangle._initial_values import no_random_values
from keras_disentangle.applications._shared.release import Release
from keras_disentangle.applications.biggan import networks
from keras_disentangle.layers import ConditionalBatchNormalization
from keras_disentangle.layers.truncation import check_truncation

NAME = "biggan"
CHUNK_DIM = 20


class _ClassConditional(keras.Model):
    """What the two generators share: a functional model of [z, label], and its use.

    Attributes:
        image_shape: (h, w, 3).
        latent_dim, num_classes: as the arguments.
    """

    def __init__(self, graph, settings, weights, seed, name, trainable):
        inputs, images = graph
        super().__init__(inputs, images, name=name, trainable=trainable)
        self.settings = settings
        self.latent_dim, self.num_classes = inputs[0].shape[-1], settings["num_classes"]
        self.image_shape = tuple(images.shape[1:])
        self.seed, self._random = seed, _generator(seed)
        Release(NAME, weights).load(self)

    def decode(self, z, labels):
        """Images in [0, 1], (n, h, w, 3) float32.

        Args:
            z: tensor (n, latent_dim).
            labels: an integer for all of them, or integers (n,), in [0, num_classes). They are
                looked at on the host: what is compiled calls the model on [z, labels].

        Raises:
            ValueError: if `z` or `labels` are others.
        """
        z = ops.convert_to_tensor(z, "float32")
        if len(z.shape) != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(
                f"`z` must have the shape (n, {self.latent_dim}). "
                f"Received: z.shape={tuple(z.shape)}"
            )
        labels = self._checked_labels(labels, z.shape[0])
        return (self([z, labels], training=False) + 1) / 2

    def sample(self, n, labels=None, truncation=1.0, seed=None):
        """Draws `n` >= 1 images (n, h, w, 3) in [0, 1].

        Args:
            n: number of images.
            labels: an integer for all of them, integers (n,), or `None` for random classes.
            truncation: in (0, 1]; less gives better images that differ less.
            seed: an integer; `None` goes on with the model's own random numbers.

        Raises:
            ValueError: if an argument is out of range.
        """
        n, truncation = check_int("n", n), check_truncation(truncation)
        random = self._random if seed is None else _generator(seed)
        z, labels = self._draw(n, labels, truncation, random)
        with self._at(truncation), self._without_gradients():
            return self.decode(z, labels)

    def standing_statistics(
        self, num_batches=16, batch_size=64, truncation=1.0, labels=None, seed=0
    ):
        """Sets the moving statistics to plain averages over generated images.

        All normalisations forget theirs and use those of the batch, so each sees what the ones
        before it give then; means and (biased) variances are averaged over the batches. Nothing
        else changes. Runs eagerly.

        Args:
            num_batches: how many batches, >= 1.
            batch_size: images in a batch, >= 2.
            truncation: in (0, 1]: of the latents, as in `sample`.
            labels: an integer, integers (batch_size,), or `None` for random classes.
            seed: integer seed, or `None`.

        Raises:
            ValueError: if an argument is out of range.
        """
        num_batches = check_int("num_batches", num_batches)
        batch_size = check_int("batch_size", batch_size, minimum=2)
        truncation = check_truncation(truncation)
        random = self._random if seed is None else _generator(seed)
        norms = [x for x in self.layers if isinstance(x, ConditionalBatchNormalization)]
        tables = [table for norm in norms for table in (norm.moving_mean, norm.moving_variance)]
        before = [ops.convert_to_numpy(table) for table in tables]
        try:
            with self._at(truncation), self._without_gradients():
                for i in range(num_batches):
                    for norm in norms:
                        norm.batches_averaged = i
                    self.decode(*self._draw(batch_size, labels, truncation, random))
        except BaseException:
            for table, value in zip(tables, before, strict=True):
                table.assign(value)
            raise
        finally:
            for norm in norms:
                norm.batches_averaged = None

    def get_config(self):
        return {
            "name": self.name,
            "trainable": self.trainable,
            "seed": self.seed,
            **self.settings,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)

    # Parts

    def _latents(self, n, truncation, random):
        raise NotImplementedError

    def _at(self, truncation):
        """While it lasts, the statistics are those for `truncation`."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def _without_gradients(self):
        """While it lasts, PyTorch keeps no activations for the gradients of the weights."""
        variables = [variable for variable in self.variables if variable.trainable]
        try:
            for variable in variables:
                variable.trainable = False
            yield
        finally:
            for variable in variables:
                variable.trainable = True

    def _draw(self, n, labels, truncation, random):
        z = self._latents(n, truncation, random)
        return z, random.randint(self.num_classes, size=n) if labels is None else labels

    def _checked_labels(self, labels, n):
        """`labels` as a tensor of n integers."""
        values = np.asarray(labels if isinstance(labels, numbers.Number) else _numpy(labels))
        if values.dtype.kind not in "iu" or values.shape not in ((), (n,)):
            raise ValueError(
                f"`labels` must be an integer or integers of the shape ({n},). "
                f"Received: labels={labels!r}"
            )
        if values.size and not 0 <= values.min() <= values.max() < self.num_classes:
            raise ValueError(
                f"`labels` must lie in [0, {self.num_classes}). Received: labels={labels!r}"
            )
        return ops.convert_to_tensor(np.broadcast_to(values, (n,)), "int32")


@keras.saving.register_keras_serializable("keras_disentangle")
class BigGAN(_ClassConditional):
    r"""The generator of BigGAN: latents and classes to images.

    A functional Keras model of [z (batch, latent_dim), label (batch,)] that gives images in
    [-1, 1]; `decode` and `sample` give them in [0, 1]. z is cut into chunks, the first for the
    first layer and another for each block, which it joins with the embedding of the class.

    Args:
        weights: `None` (random), or the path of a `.weights.h5` or `.keras` file, such as
            `keras-disentangle convert biggan` writes.
        image_size: pixels a side: 128, as published; 32, 64, 256 or 512.
        channels: feature maps of the last block (of 32×32 images: a quarter of them), a multiple
            of 4.
        latent_dim: width of z, a multiple of the number of chunks, which is log2(image_size) - 1;
            `None` for 20 a chunk: 120 for 128×128.
        num_classes: number of classes, >= 1.
        embedding_dim: width of the embeddings, >= 1.
        kernel_initializer: of all kernels and the embeddings. `"zeros"` is quick where weights are
            to be loaded, and useless otherwise.
        seed: integer seed of what `sample` draws without a seed of its own, or `None`. For the
            initial weights, use `keras.utils.set_random_seed`.
        dtype: dtype policy of the layers; `None` for the global one.
        name, trainable: as for any model.

    Raises:
        ValueError: if an argument is out of range; if the weights are missing, damaged or of
            another architecture.

    Example:

    >>> model = kd.applications.BigGAN("biggan_128.weights.h5")
    >>> images = model.sample(8, labels=207, truncation=0.5, seed=0)   # (8, 128, 128, 3)

    Reference: Brock et al., 2019 (BigGAN), appendix B, Tables 4 to 6.
    """

    def __init__(
        self,
        weights=None,
        image_size=128,
        channels=96,
        latent_dim=None,
        num_classes=1000,
        embedding_dim=128,
        kernel_initializer="orthogonal",
        seed=None,
        dtype=None,
        name="biggan",
        trainable=True,
    ):
        settings, initializer, dtype = _checked(
            image_size, channels, num_classes, kernel_initializer, dtype, weights
        )
        num_chunks = len(networks.WIDTHS[image_size])
        latent_dim = CHUNK_DIM * num_chunks if latent_dim is None else latent_dim
        if check_int("latent_dim", latent_dim) % num_chunks:
            raise ValueError(
                f"`latent_dim` must be a multiple of {num_chunks} for images of {image_size} "
                f"pixels. Received: latent_dim={latent_dim}"
            )
        embedding_dim = check_int("embedding_dim", embedding_dim)
        with no_random_values(weights is not None):
            graph = networks.biggan(
                image_size,
                settings["channels"],
                latent_dim // num_chunks,
                embedding_dim,
                settings["num_classes"],
                initializer,
                dtype,
            )
        settings = {**settings, "latent_dim": latent_dim, "embedding_dim": embedding_dim}
        super().__init__(graph, settings, weights, seed, name, trainable)

    def _latents(self, n, truncation, random):
        """From N(0, truncation²), as the release samples (its `z_var` is a deviation)."""
        return (truncation * random.normal(size=(n, self.latent_dim))).astype("float32")


@keras.saving.register_keras_serializable("keras_disentangle")
class BigGANDeep(_ClassConditional):
    r"""The generator of BigGAN-deep: latents and classes to images.

    A functional Keras model of [z (batch, latent_dim), label (batch,)] that gives images in
    [-1, 1]; `decode` and `sample` give them in [0, 1]. Its normalisations hold statistics for 51
    truncations; those for the property `truncation`, 1 at first, are used. Setting it recompiles
    nothing, and it is saved with the weights.

    Args:
        weights: as for `BigGAN`.
        image_size: pixels a side: 128, 256 or 512, as published; 32 or 64.
        channels: feature maps of the last block, a multiple of 4.
        latent_dim: width of z and of the classes' embeddings, >= 1.
        num_classes: number of classes, >= 1.
        interpolation: `"published"` or `"linear"`, for truncations between two of the 51. The
            published code gives each of the two neighbours the weight of the other.
        kernel_initializer, seed, dtype, name, trainable: as for `BigGAN`.

    Raises:
        ValueError: as `BigGAN`.

    Example:

    >>> model = kd.applications.BigGANDeep("biggan_deep_256.weights.h5", image_size=256)
    >>> images = model.sample(8, labels=207, truncation=0.4, seed=0)   # (8, 256, 256, 3)

    Reference: Brock et al., 2019 (BigGAN), appendix B, Tables 7 to 9.
    """

    def __init__(
        self,
        weights=None,
        image_size=128,
        channels=128,
        latent_dim=128,
        num_classes=1000,
        interpolation="published",
        kernel_initializer="orthogonal",
        seed=None,
        dtype=None,
        name="biggan_deep",
        trainable=True,
    ):
        settings, initializer, dtype = _checked(
            image_size, channels, num_classes, kernel_initializer, dtype, weights
        )
        latent_dim = check_int("latent_dim", latent_dim)
        with no_random_values(weights is not None):
            graph = networks.biggan_deep(
                image_size,
                settings["channels"],
                latent_dim,
                settings["num_classes"],
                interpolation,
                initializer,
                dtype,
            )
        settings = {**settings, "latent_dim": latent_dim, "interpolation": interpolation}
        super().__init__(graph, settings, weights, seed, name, trainable)

    @property
    def truncation(self):
        """The truncation in (0, 1] whose statistics are used."""
        return self.get_layer("truncation").get()

    @truncation.setter
    def truncation(self, truncation):
        self.get_layer("truncation").set(truncation)

    def sample(self, n, labels=None, truncation=None, seed=None):
        """Draws `n` >= 1 images (n, h, w, 3) in [0, 1].

        Args:
            n, labels, seed: as for `BigGAN.sample`.
            truncation: of the latents and the statistics, in (0, 1]; by default the model's.

        Raises:
            ValueError: if an argument is out of range.
        """
        return super().sample(
            n, labels, self.truncation if truncation is None else truncation, seed
        )

    def standing_statistics(
        self, num_batches=16, batch_size=64, truncation=None, labels=None, seed=0
    ):
        """As `BigGAN.standing_statistics`, for one row of the statistics: that of `truncation`.

        Args:
            truncation: by default the model's.
            num_batches, batch_size, labels, seed: as for `BigGAN`.

        Raises:
            ValueError: if an argument is out of range, or `truncation` lies between two rows.
        """
        truncation = self.truncation if truncation is None else truncation
        with self._at(truncation):
            if not (ops.convert_to_numpy(self.get_layer("truncation").row_weights) == 1).any():
                raise ValueError(
                    "`truncation` must be one of those that statistics are stored for, multiples "
                    f"of {1 / (networks.NUM_STATISTICS - 1):g}. Received: truncation={truncation}"
                )
        super().standing_statistics(num_batches, batch_size, truncation, labels, seed)

    def _latents(self, n, truncation, random):
        """`truncation` times N(0, 1) cut off at ±2, the very draws of the published code."""
        z = truncnorm.rvs(-2, 2, size=(n, self.latent_dim), random_state=random)
        return truncation * z.astype("float32")

    @contextlib.contextmanager
    def _at(self, truncation):
        before, self.truncation = self.truncation, truncation
        try:
            yield
        finally:
            self.truncation = before


def _checked(image_size, channels, num_classes, kernel_initializer, dtype, weights):
    """Settings that both have, the initializer to use and the dtype policy."""
    Release(NAME, weights)  # refuses a name: none are bundled
    sizes = tuple(networks.WIDTHS)
    if getattr(image_size, "ndim", 0) or image_size not in sizes:
        raise ValueError(
            f"`image_size` must be one of {sizes}. Received: image_size={image_size!r}"
        )
    if check_int("channels", channels, minimum=4) % 4:
        raise ValueError(f"`channels` must be a multiple of 4. Received: channels={channels}")
    initializer = keras.initializers.get(kernel_initializer)
    dtype = None if dtype is None else keras.dtype_policies.get(dtype)
    settings = {
        "image_size": image_size,
        "channels": channels,
        "num_classes": check_int("num_classes", num_classes),
        "kernel_initializer": keras.initializers.serialize(initializer),
        "dtype": None if dtype is None else keras.dtype_policies.serialize(dtype),
    }
    return settings, initializer, dtype


def _generator(seed):
    seed = None if seed is None else check_int("seed", seed, minimum=0)
    return np.random.RandomState(seed)


def _numpy(values):
    return values if isinstance(values, (list, tuple)) else ops.convert_to_numpy(values)
