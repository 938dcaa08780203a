"""Checks of what a GAN is trained on."""

from keras_disentangle.models._image_data import check_image_batch, check_images, warn_of_labels
from keras_disentangle.models._networks import batch_normalizations
from keras_disentangle.trainers.fit_arguments import fit_arguments


class AdversarialFitting:
    """The part of `GAN` that checks images and batches before Keras's own methods run."""

    @property
    def bounded(self):
        """The reason, used in errors, why images must lie in [0, 1]; `None` if they need not."""
        if self.image_range is None:
            return None
        low, high = self.image_range
        return (
            f"(the generator's range is [{low:g}, {high:g}]"
            + (f", by {self._range_from}" if self._range_from else "")
            + "; the model maps images from [0, 1] to it itself)"
        )

    def fit(self, *args, **kwargs):
        """`keras.Model.fit`; checks the images before it begins (all of an array, else the first
        batch), and the range and number of those of each batch while it trains.

        A conditional model also needs labels: `fit(x, y)`, or a data set of pairs (x, y). Others
        ignore labels, with one warning.

        Raises:
            ValueError: if images are not (n, *image_shape), are constant or not finite, or lie
                outside [0, 1] while the generator's range is known; if batch normalisation would
                get a batch of one image; if labels are missing or wrong; as `PhasedModel.fit`.
        """
        arguments = fit_arguments(*args, **kwargs)
        x, size = arguments.get("x"), arguments.get("batch_size")
        steps = arguments.get("steps_per_epoch")
        images = check_images("x", x, self.image_shape, self.bounded, size, steps)
        self.check_sizes(images.sizes)
        warn_of_labels(self, images, arguments.get("y"))
        labels = self.checked_labels(images, arguments.get("y"))
        return super().fit(**{**arguments, "x": images.data, **labels})

    def check_batch(self, x):
        check_image_batch("x", x, self.image_shape, self.bounded)
        self._check_batch_size(x.shape[0])

    def check_sizes(self, sizes):
        """Raises a ValueError if a batch of one of these sizes is too small; a hook of `fit`."""
        for size in sizes:
            self._check_batch_size(size)

    def _check_batch_size(self, size):
        if size is not None and size < self._smallest_batch:
            raise ValueError(f"{self._batch_message}{size}")

    @property
    def _smallest_batch(self):
        return self.discriminator_steps * (2 if batch_normalizations(self) else 1)

    @property
    def _batch_message(self):
        smallest = self._smallest_batch // self.discriminator_steps
        return (
            f"`batch_size` must leave at least {smallest} images to each of the "
            f"{self.discriminator_steps} discriminator steps, also in the last batch of an epoch"
            + (" (batch normalisation of one image gives zeros)" if smallest > 1 else "")
            + ". Received: a batch of "
        )
