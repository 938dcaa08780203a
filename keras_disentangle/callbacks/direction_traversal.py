"""Draws the effect of directions in latent space while they are learnt."""

import functools

import numpy as np
from keras import ops

from keras_disentangle._arguments import check_flag, check_int, check_number, check_seed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.callbacks._pictures import PictureCallback, displayable
from keras_disentangle.visualization.frames import direction_frames
from keras_disentangle.visualization.traversals import direction_traversal


class DirectionTraversal(PictureCallback):
    """Draws the effect of the directions of a `DirectionDiscovery` while they are learnt.

    Every `every` epochs, and after the last, it writes into `log_dir/pictures`
    `epoch_0003_directions.png`: a row for each direction, in their order, along which the same
    latent vector moves by -`span` to `span` (with several vectors, a group of rows for each
    direction). The same picture is the TensorBoard image `pictures/directions` in the run
    `pictures`, at `model.step` (the number of finished epochs if the model has none). When
    training ends, `directions.gif` shows all directions at once, moving through 25 values.
    TensorFlow is not needed. The model's state is only read and none of its random numbers are
    drawn, so training gives exactly the results that it would without the pictures.

    The model needs `directions.matrix()`, an array (N, d) with the directions as rows,
    `decode(z)`, which gives images in [0, 1], and, if `latents` is None, its `LatentSpace` as
    `space`. A class-conditional model needs `decode(z, labels)`: the vectors take the classes
    `model.labels` in turn; if these are all `model.num_classes` classes (or None), the classes are
    drawn with `seed`, the same at each epoch.

    Args:
        log_dir: folder of the logs.
        every: number of epochs between two pictures, >= 1.
        latents: `None`, or the vectors to start from: an array (d,) or (n, d), n > 0.
        num_latents: number of vectors drawn from the model's `space` if `latents` is `None`.
        span: each vector moves by -`span` to `span` along a direction, in the latent's own units.
        steps: number of images in a row.
        max_directions: `None`, or the largest number of directions to draw, the first ones.
        orthogonal: whether the vectors are first made orthogonal to the direction of their row.
        batch_size: number of images decoded at once.
        seed: seed of the vectors and classes.

    Raises:
        ValueError: if a number is out of range, `latents` is not such an array, or `log_dir` is a
            file; when training begins, if the model lacks one of these attributes, decodes no
            images with channels last, or `latents` are not as wide as its directions.

    Example:

    >>> generator.trainable = False
    >>> model = kd.models.DirectionDiscovery(generator, seed=0)
    >>> model.compile()
    >>> model.fit(steps=1000, epochs=50, callbacks=[DirectionTraversal("logs", every=5)])

    Reference:
        Peebles et al., The Hessian Penalty, 2020, section 4.4, Figures 6 and 7.
    """

    def __init__(
        self,
        log_dir,
        every=1,
        *,
        latents=None,
        num_latents=1,
        span=5.0,
        steps=9,
        max_directions=None,
        orthogonal=True,
        batch_size=16,
        seed=0,
    ):
        super().__init__(log_dir, every)
        self.latents = None if latents is None else _checked(latents)
        self.num_latents = check_int("num_latents", num_latents)
        self.span = check_number("span", span, above=0)
        self.steps = check_int("steps", steps, minimum=2)
        if max_directions is not None:
            max_directions = check_int("max_directions", max_directions)
        self.max_directions = max_directions
        self.orthogonal = check_flag("orthogonal", orthogonal)
        self.batch_size = check_int("batch_size", batch_size)
        self.seed = check_seed("seed", seed, optional=False)
        self._start = self._classes = None

    def on_train_begin(self, logs=None):
        model, latents = self.model, self.latents
        needed = ["decode", "directions"]
        if latents is None:
            needed.append("space")
        self._check_model(needed, f" {'without' if latents is None else 'with'} `latents`")
        if latents is None:
            latents = to_numpy("space", model.space.sample(self.num_latents, seed=self.seed))
        width = model.directions.matrix().shape[1]
        if latents.shape[1] != width:
            raise ValueError(
                f"`latents` must be of shape (n, {width}), as wide as the model's directions. "
                f"Received: shape {latents.shape}"
            )
        self._start, self._classes = latents, self._draw_classes(len(latents))
        super().on_train_begin(logs)

    def _try(self):
        labels = {} if self._classes is None else {"labels": self._classes[:1]}
        displayable(self.model.decode(ops.convert_to_tensor(self._start[:1]), **labels))

    def _draw_classes(self, n):
        """A class for each of n vectors, (n,) int32, or None if the model has none."""
        num_classes = getattr(self.model, "num_classes", None)
        classes = getattr(self.model, "labels", None)
        if classes is None and num_classes is None:
            return None
        if classes is None or len(classes) == num_classes:
            classes = np.random.default_rng(self.seed).integers(num_classes, size=n)
        # If there are fewer classes than vectors, they repeat from the first.
        return np.resize(classes, n).astype("int32")

    def _pictures(self):
        return {"directions": self._along(direction_traversal, steps=self.steps)}

    def _frames(self):
        return {"directions": self._along(direction_frames)}

    def _along(self, draw, **arguments):
        matrix = to_numpy("directions", self.model.directions.matrix())[: self.max_directions]
        decode = functools.partial(self._decode, num_directions=len(matrix))
        return draw(
            decode, self._start, matrix, span=self.span, orthogonal=self.orthogonal, **arguments
        )

    def _decode(self, latents, num_directions):
        """Images of latents (n, d) in the order of `direction_traversal`."""
        model, images = self.model, []
        classes = self._classes
        if classes is not None:
            num_values = len(latents) // (num_directions * len(classes))
            classes = np.tile(np.repeat(classes, num_values), num_directions)
        for start in range(0, len(latents), self.batch_size):
            part = slice(start, start + self.batch_size)
            labels = {} if classes is None else {"labels": classes[part]}
            images.append(displayable(model.decode(ops.convert_to_tensor(latents[part]), **labels)))
        return np.concatenate(images)


def _checked(latents):
    latents = np.atleast_2d(to_numpy("latents", latents)).astype("float32")
    if latents.ndim != 2 or not latents.size or not np.isfinite(latents).all():
        raise ValueError(
            "`latents` must be None or finite numbers of shape (d,) or (n, d), n > 0. "
            f"Received: latents={latents}"
        )
    return latents
