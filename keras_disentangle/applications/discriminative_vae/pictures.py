"""Pictures of trained models side by side: the paper's Figures 2 to 6."""

import numpy as np
from keras import ops

from keras_disentangle.applications._shared.calls import in_batches, to_float
from keras_disentangle.applications.discriminative_vae import measures
from keras_disentangle.visualization import image_grid


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
        samples = measures.samples(model, 4 * columns, seed)
        pictures[f"samples_{name}.png"] = samples, f"samples, {name}"
        ends = np.resize(chosen, (8, *chosen.shape[1:]))
        paths = ops.convert_to_numpy(model.interpolate(ends[:4], ends[4:], columns))
        paths = paths.reshape(-1, *model.image_shape)
        pictures[f"interpolations_{name}.png"] = paths, f"paths between reconstructions, {name}"
        rows.append(in_batches(model.reconstruct, chosen))
    drawn = {
        name: image_grid(found.clip(0, 1), columns, title=title)
        for name, (found, title) in pictures.items()
    }
    rows = np.concatenate(rows).clip(0, 1)
    labels = ["images", *models]
    return {**drawn, "reconstructions.png": image_grid(rows, columns, row_labels=labels)}
