"""Pictures of trained models side by side: the paper's Figures 2 to 6."""

import numpy as np
from keras import ops

from keras_disentangle.applications._shared.calls import in_batches, to_float
from keras_disentangle.applications.discriminative_vae import measures
from keras_disentangle.visualization import enlarge, image_grid


def draw(models, images, columns=16, seed=0):
    """Pictures of some models.

    Args:
        models: dict from a name to a VAE.
        images: uint8 array of real images, of which some are taken at random.
        columns: images in a row.
        seed: of the samples and the choice.

    Returns:
        Dict of `samples_<model>.png` (four rows), `interpolations_<model>.png` (four rows, whose
        endpoints are reconstructions) and `reconstructions.png`: images, and below them those of
        each model.
    """
    rng = np.random.default_rng(seed)
    chosen = to_float(images[rng.choice(len(images), columns, replace=len(images) < columns)])
    rows, pictures = [chosen], {}
    for name, model in models.items():
        pictures[f"samples_{name}.png"] = measures.samples(model, 4 * columns, seed)
        ends = np.resize(chosen, (8, *chosen.shape[1:]))
        paths = ops.convert_to_numpy(model.interpolate(ends[:4], ends[4:], columns))
        pictures[f"interpolations_{name}.png"] = paths.reshape(-1, *model.image_shape)
        rows.append(in_batches(model.reconstruct, chosen))
    pictures["reconstructions.png"] = np.concatenate(rows)
    labels = {"reconstructions.png": ["images", *models]}
    return {
        name: image_grid(enlarge(found.clip(0, 1)), columns, row_labels=labels.get(name))
        for name, found in pictures.items()
    }
