"""A trained classifier for a data set, by one call: for its features, or as an evaluator."""

import keras
import numpy as np

from keras_disentangle._arguments import check_int, check_weight, is_choice
from keras_disentangle.applications._shared.calls import to_float
from keras_disentangle.applications.discriminative_vae.networks import (
    classifier_network,
    evaluator_network,
)

ARCHITECTURES = {"paper": classifier_network, "evaluator": evaluator_network}


def train_classifier(
    images,
    labels,
    architecture="paper",
    *,
    epochs=10,
    batch_size=100,
    learning_rate=1e-3,
    shift=0,
    flip=False,
    seed=0,
    validation_data=None,
    verbose="auto",
    callbacks=(),
):
    """A frozen classifier of some images.

    Trained by Adam, its learning rate falling to 0 along a cosine. Sets the global seeds.

    Args:
        images: array (n, h, w, c): uint8, or floats in [0, 1].
        labels: integers (n,) from 0, one class an image; or (n, k) of 0 and 1, k labels of which
            any may hold, as CelebA's attributes.
        architecture: `"paper"`, whose features are `norm_2`, `norm_4` and `norm_6`, or
            `"evaluator"`, a residual network for independent measurements; or a function
            (image_shape, num_outputs) to an untrained network from images in [0, 1] to logits.
        epochs, batch_size, learning_rate: of the training.
        shift: training images are moved by up to so many pixels, edges repeated.
        flip: whether half of the training images are mirrored.
        seed: integer seed of weights, order, and changes of the images.
        validation_data: `None`, or a pair (images, labels) whose accuracy is shown after each
            epoch.
        verbose, callbacks: as in `keras.Model.fit`.

    Returns:
        A compiled `keras.Model` from images in [0, 1] to logits, with `trainable=False`:
        `evaluate` gives loss and accuracy.

    Raises:
        ValueError: if images and labels do not fit each other, or an argument is out of range.

    Example:

    >>> images, labels = kd.datasets.load_images("fashion_mnist", data_dir="data")
    >>> classifier = train_classifier(images, labels, epochs=8, batch_size=32)
    >>> loss = kd.losses.FeatureMatchingLoss(classifier, ["norm_2", "norm_4", "norm_6"])

    Reference: Lamb et al., 2016, section 5.
    """
    images, labels = _checked("images", images, "labels", labels)
    several, num_outputs = labels.ndim == 2, int(labels.max()) + 1
    if several:
        num_outputs = labels.shape[1]
    elif num_outputs < 2:
        raise ValueError("`labels` must hold at least two classes. Received: one")
    if validation_data is not None:
        validation_data = _checked_validation(validation_data, images, labels, num_outputs)
    if is_choice(architecture, ARCHITECTURES):
        architecture = ARCHITECTURES[architecture]
    if not callable(architecture):
        raise ValueError(
            f"`architecture` must be one of {list(ARCHITECTURES)} or a function. "
            f"Received: architecture={architecture!r}"
        )
    check_weight("learning_rate", learning_rate)
    check_int("epochs", epochs)
    batches = _Batches(images, labels, batch_size, check_int("shift", shift, minimum=0), flip, seed)
    keras.utils.set_random_seed(seed)
    network = architecture(images.shape[1:], num_outputs)
    if network.output_shape[1:] != (num_outputs,):
        raise ValueError(
            f"`architecture` must give logits (batch, {num_outputs}). "
            f"Received: a network that gives {network.output_shape}"
        )
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(batches))
    if several:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        accuracy = keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
    network.compile(keras.optimizers.Adam(rate), loss, metrics=[accuracy])
    options = {"verbose": verbose, "callbacks": list(callbacks)}
    network.fit(batches, epochs=epochs, validation_data=validation_data, **options)
    network.trainable = False
    return network


class _Batches(keras.utils.PyDataset):
    """Shuffled batches; batch i of an epoch depends on the seed, the epoch and i alone."""

    def __init__(self, images, labels, batch_size, shift, flip, seed):
        super().__init__()
        self.images, self.labels = images, labels
        self.batch_size = min(check_int("batch_size", batch_size), len(images))
        self.shift, self.flip, self.seed, self.epoch = shift, flip, seed, 0
        self._begun = False

    def __len__(self):
        return len(self.images) // self.batch_size

    def __getitem__(self, i):
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.images))
        index = order[i * self.batch_size : (i + 1) * self.batch_size]
        return self._changed(self.images[index], i), self.labels[index]

    def on_epoch_begin(self):
        self._begun = True

    def on_epoch_end(self):
        # Keras also ends an epoch that never began.
        self.epoch += self._begun
        self._begun = False

    def _changed(self, images, i):
        rng, images = np.random.default_rng((self.seed, self.epoch, i)), to_float(images)
        n, height, width, _ = images.shape
        if self.shift:
            edges = [(0, 0), (self.shift,) * 2, (self.shift,) * 2, (0, 0)]
            wide = np.pad(images, edges, "edge")
            places = rng.integers(2 * self.shift + 1, size=(n, 2)).tolist()
            moved = zip(wide, places, strict=True)
            images = np.stack([x[a : a + height, b : b + width] for x, (a, b) in moved])
        if self.flip:
            mirrored = rng.random(n) < 0.5
            images = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
        return images


def _checked_validation(data, images, labels, num_outputs):
    """The pair (images, labels) of `validation_data`, which must be as those of the training."""
    try:
        held_out, expected = data
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`validation_data` must be a pair (images, labels). Received: {type(data).__name__}"
        ) from error
    names = ("validation_data[0]", "validation_data[1]")
    held_out, expected = _checked(names[0], held_out, names[1], expected)
    if held_out.shape[1:] != images.shape[1:] or expected.shape[1:] != labels.shape[1:]:
        raise ValueError(
            f"`validation_data` must be as the training's: images {images.shape[1:]}, labels "
            f"{labels.shape[1:]}. Received: {held_out.shape[1:]} and {expected.shape[1:]}"
        )
    if expected.ndim == 1 and expected.max() >= num_outputs:
        raise ValueError(
            f"`validation_data` must have labels below {num_outputs}, those of the training. "
            f"Received: {expected.max()}"
        )
    return to_float(held_out), expected


def _checked(images_name, images, labels_name, labels):
    images, labels = np.asarray(images), np.asarray(labels)
    for name, array in ((images_name, images), (labels_name, labels)):
        if array.dtype.kind not in "buif":
            raise ValueError(f"`{name}` must hold numbers. Received: {array.dtype}")
    if images.ndim != 4 or not len(images):
        raise ValueError(
            f"`{images_name}` must have the shape (n, h, w, c), n > 0. "
            f"Received: {images_name}.shape={images.shape}"
        )
    if labels.ndim not in (1, 2) or len(labels) != len(images) or not labels.size:
        raise ValueError(
            f"`{labels_name}` must be (n,) or (n, k), for {len(images)} images. "
            f"Received: {labels_name}.shape={labels.shape}"
        )
    whole = labels.dtype.kind in "bui" or np.array_equal(labels, np.floor(labels))
    if not whole or labels.min() < 0 or (labels.ndim == 2 and labels.max() > 1):
        kind = "0 or 1" if labels.ndim == 2 else "integers from 0"
        raise ValueError(
            f"`{labels_name}` must be {kind}. Received: {labels.dtype} from {labels.min()} "
            f"to {labels.max()}"
        )
    if images.dtype != np.uint8 and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"`{images_name}` must be uint8 or lie in [0, 1]. "
            f"Received: {images.dtype} from {images.min()} to {images.max()}"
        )
    return images, labels.astype("float32" if labels.ndim == 2 else "int64")
