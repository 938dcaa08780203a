"""What the metrics that intervene on factors share: a grid of images, each encoded once."""

import numpy as np

from keras_disentangle.metrics._validation import check_matrix


def check_grid(dataset):
    """The sizes (k,) of a data set's factors, of which it has every combination."""
    missing = [name for name in ("factor_sizes", "index", "images") if not hasattr(dataset, name)]
    if missing:
        raise ValueError(
            "`dataset` must be a `FactorDataset`: this metric holds one factor fixed and changes "
            f"the others, so it needs images of every combination. Received: "
            f"{type(dataset).__name__}, without {', '.join(missing)}"
        )
    return np.asarray(dataset.factor_sizes)


def encode_factors(encode, dataset, factors, encode_batch):
    """Codes of the images with these factors (n, k), of which equal ones are encoded once.

    Returns:
        Codes (m, d) of the m distinct images, and the row in it of each of the n, (n,).
    """
    index, inverse = np.unique(np.asarray(dataset.index(factors)), return_inverse=True)
    codes = []
    for start in range(0, len(index), encode_batch):
        images = np.asarray(dataset.images(index[start : start + encode_batch]))
        batch = check_matrix("encode(images)", encode(images.astype(np.float32) / 255.0))
        if len(batch) != len(images):
            raise ValueError(
                f"`encode` must return one code for each of the {len(images)} images it is given. "
                f"Received: encode(images).shape={batch.shape}"
            )
        codes.append(batch)
    return np.concatenate(codes), inverse
