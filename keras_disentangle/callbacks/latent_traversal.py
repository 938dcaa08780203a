"""Draws the effect of each latent dimension while a model trains."""

import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, check_number, check_seed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.callbacks._pictures import PictureCallback, displayable
from keras_disentangle.latents import Normal
from keras_disentangle.latents.as_space import as_rungs
from keras_disentangle.visualization._labelled_grid import labelled_grid, rows_of
from keras_disentangle.visualization._pixels import as_uint8
from keras_disentangle.visualization._rungs import dimension_labels, texts_of_code
from keras_disentangle.visualization.frames import traversal_frames
from keras_disentangle.visualization.grids import reconstruction_grid
from keras_disentangle.visualization.latents import rung_samples

_MAX_STARTS = 16


def _as_float(images):
    """The first few images as float32 in [0, 1], or a ValueError if they are not images."""
    images = np.atleast_1d(to_numpy("images", images))[:_MAX_STARTS]
    # Pictures may leave the range a little, the images given to a model may not.
    inside = images.dtype == np.uint8 or np.all((images >= -1e-3) & (images <= 1 + 1e-3))
    if not inside:
        raise ValueError(
            "`images` must be uint8 or hold numbers in [0, 1]. "
            f"Received: numbers from {images.min()} to {images.max()}"
        )
    as_uint8(images)
    return images.astype("float32") / (255 if images.dtype == np.uint8 else 1)


class LatentTraversal(PictureCallback):
    """Draws the effect of the latent dimensions of a model while it trains.

    Every `every` epochs, and after the last, it writes into `log_dir/pictures`:

    - `epoch_0003_traversal.png`: a traversal of each latent dimension or categorical code, a row
      each;
    - `epoch_0003_rung_samples.png`: a row for each rung, which is sampled while the others stay
      fixed;
    - `epoch_0003_reconstructions.png`, if `images` are given: at most 16 of them above their
      reconstructions;

    and the same pictures as TensorBoard images, `pictures/traversal` and so on, in the run
    `pictures`, at `model.step` (the number of finished epochs if the model has none).
    When training ends, `traversal.gif` shows all dimensions at once. TensorFlow is not needed. The
    model's state is only read and none of its random numbers are drawn, so training gives exactly
    the results that it would without the pictures.

    The model needs `decode(z)`, which gives images in [0, 1]. Its codes are those of its
    `LatentSpace`, `space`; without one, rungs of the sizes `rung_sizes`, most abstract first, or
    `latent_dim` dimensions of one kind. If some of the codes are informative, only these are drawn.

    The rows start from the mean code of the first of the `images`, for which the model needs
    `encode(x)`, which gives mean and log variance; without images, from 0. For a model with a
    `space` and without `reconstruct`, such as a GAN, they start from one random latent vector;
    there are no other pictures, and `images` are refused.

    Args:
        log_dir: folder of the logs.
        every: number of epochs between two pictures, >= 1.
        images: `None`, or images (n, h, w, c), n > 0, floats in [0, 1] or uint8.
        span: each dimension of a normal code goes from -`span` to `span`, in standard deviations of
            the prior. Uniform codes go over their interval, categorical ones over their categories.
        steps: number of images in a row of the traversal.
        num_samples: number of images in a row of the rung samples.
        seed: seed of the rung samples, or of the random latent vector, the same at each epoch.
        labels: of a conditional model, a label for each of the `images`, or one for everything. The
            traversal and the rung samples have that of the first image throughout.

    Raises:
        ValueError: if `every`, `steps` or `num_samples` is too small, `span` is not positive,
            `images` are not images, or `log_dir` is a file; when training begins, if the model
            lacks one of these attributes, does not take `images`, decodes no images with channels
            last, or has no reconstructions although `images` are given, or if labels are missing,
            wrong or not wanted.

    Example:

    >>> traversal = LatentTraversal("logs", every=5, images=images[:8])
    >>> model.fit(images, epochs=30, callbacks=[traversal])
    """

    def __init__(
        self,
        log_dir,
        every=1,
        images=None,
        *,
        span=2.5,
        steps=9,
        num_samples=10,
        seed=0,
        labels=None,
    ):
        super().__init__(log_dir, every)
        self.images = None if images is None else _as_float(images)
        self.labels = None if labels is None else to_numpy("labels", labels)
        self._num_given = 1 if images is None else np.shape(images)[0]
        self.span = check_number("span", span, above=0)
        self.steps = check_int("steps", steps, minimum=2)
        self.num_samples = check_int("num_samples", num_samples)
        self.seed = check_seed("seed", seed, optional=False)

    def on_train_begin(self, logs=None):
        if self._generates and self.images is not None:
            raise ValueError(
                "`images` must be None with a model that has a `LatentSpace` and no `reconstruct`: "
                f"it reconstructs nothing. Received: {len(self.images)} images and {self.model!r}"
            )
        needed = ["decode"]
        if not self._generates:
            needed.append("latent_dim" if self.images is None else "encode")
        self._check_model(needed, f" {'without' if self.images is None else 'with'} `images`")
        if self.labels is not None and getattr(self.model, "labels", None) is None:
            raise ValueError(
                "`labels` must be None with a model that is not conditional. "
                f"Received: labels={self.labels!r} and {self.model!r}"
            )
        super().on_train_begin(logs)

    def _try(self):
        start = self._starts()[:1]
        self._space(start)
        images = self._decode(start)
        if self.images is not None:
            reconstruction_grid(self.images[:1], images)

    @property
    def _generates(self):
        """Whether the model generates images from a latent space but does not reconstruct any."""
        return hasattr(self.model, "space") and not hasattr(self.model, "reconstruct")

    def _space(self, starts):
        rungs = getattr(self.model, "rung_sizes", None)
        return as_rungs(getattr(self.model, "space", rungs), starts.shape[1])

    def _starts(self):
        """Latent vectors (n, d), the code of each image; the rows start from the first."""
        if self._generates:
            return to_numpy("model.space", self.model.space.sample(1, seed=self.seed))
        if self.images is None:
            return np.zeros((1, self.model.latent_dim), "float32")
        codes = self.model.encode(ops.convert_to_tensor(self.images), *self._labels())
        mean = to_numpy("model.encode(x)", codes[0] if isinstance(codes, (tuple, list)) else codes)
        # A diverging encoder is no reason to end a training run either.
        return np.nan_to_num(mean.astype("float32"))

    def _labels(self):
        """The labels of the images in a tuple, which is empty for an unconditional model."""
        if self.labels is None:
            return ()
        return (self.model.labels.check("labels", self.labels, self._num_given)[:_MAX_STARTS],)

    def _decode(self, latents, labels=None):
        """Images of latents, by default all with the label of the first image."""
        if labels is None:
            labels = [np.repeat(found[:1], len(latents), axis=0) for found in self._labels()]
        return displayable(self.model.decode(ops.convert_to_tensor(latents), *labels))

    def _pictures(self):
        starts = self._starts()
        space = self._space(starts)
        pictures = {"traversal": self._traversal(starts[0], space)}
        if not self._generates:
            pictures["rung_samples"] = rung_samples(
                self._decode, starts[0], space, num=self.num_samples, seed=self.seed
            )
        if self.images is not None:
            pictures["reconstructions"] = reconstruction_grid(
                self.images, self._decode(starts, self._labels())
            )
        return pictures

    def _frames(self):
        if self._generates:
            return {}
        starts = self._starts()
        frames = traversal_frames(
            self._decode, starts[0], span=self.span, rungs=self._space(starts)
        )
        return {"traversal": frames}

    def _traversal(self, start, space):
        """The picture with a row for each traversal of the codes."""
        codes = space.informative or space.codes
        latents, texts = [], []
        for code in codes:
            # The default span of a normal code is 2 standard deviations.
            extent = self.span / 2 if isinstance(code, Normal) else 1
            for dim in range(code.num_traversals):
                latents.append(space.traversal(start, code.name, dim, self.steps, extent))
                texts.append(texts_of_code(space, code.name, dim, latents[-1]))
        lengths = [len(row) for row in latents]
        # There may be more categories than steps.
        images = np.split(self._decode(np.concatenate(latents)), np.cumsum(lengths)[:-1])
        labels = dimension_labels(space, "num_traversals")
        labels = [label for code in codes for label in labels[code.name]]
        numbers = [code.num_traversals for code in codes]
        return labelled_grid(rows_of(images), numbers, labels, texts, "value")
