"""Pictures of progressive GANs: the paper's figures and training curves."""

import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications._shared.calls import as_pictures
from keras_disentangle.applications.progressive_gan import measures
from keras_disentangle.visualization import (
    activeness_bars,
    components_by_activeness,
    hessian_grid,
    image_grid,
    penalty_heatmap,
)


def of_components(model, steps, seed):
    """Samples, what each component does (Figure 3), pixels' Hessians (Figures 8 to 12) and
    their penalties (Figure 13).

    Args:
        model: the trained model.
        steps: values of a component, from -2 to 2.
        seed: of the codes.
    """
    latents = ops.convert_to_numpy(model.space.sample(6, seed=seed))
    raw, codes = measures.measured_generator(model), measures.measured_codes(model, 6, seed)
    images = ops.convert_to_numpy(model.decode(latents))
    hessians, pixels = kd.metrics.peak_hessians(raw, codes, batch_size=512)
    penalties = kd.metrics.hessian_penalty_map(raw, codes, batch_size=512).max(axis=-1)
    return {
        "samples.png": image_grid(measures.samples(model, 40, seed), columns=10),
        "components.png": components_by_activeness(
            as_pictures(model.decode),
            latents[0],
            measures.activeness(model, num_codes=100),
            steps=steps,
        ),
        "hessians.png": hessian_grid(hessians, images, pixels),
        "penalties.png": penalty_heatmap(penalties, images),
    }


def of_several(models, scores, seed):
    """Activeness (Figure 5) and, if all have as many components and pixels, Hessians (Figure 8).

    Args:
        models: dict from a label to a trained model.
        scores: dict from a label to its scores.
        seed: of the codes at which Hessians are taken.
    """
    active = {name: np.array(found["activeness"]) for name, found in scores.items()}
    found = {"activeness.png": activeness_bars(active)}
    if len({(model.latent_dim, model.image_shape) for model in models.values()}) == 1:
        found["hessians.png"] = _hessians(models, seed)
    return found


def _hessians(models, seed, num_codes=4):
    """Hessians of the pixel with the largest penalty, a row for each model."""
    found = []
    for model in models.values():
        codes = measures.measured_codes(model, num_codes, seed)
        hessians, pixels = kd.metrics.peak_hessians(
            measures.measured_generator(model), codes, batch_size=512
        )
        images = ops.convert_to_numpy(model.decode(codes.astype("float32")))
        found.append((hessians, images, pixels))
    hessians, images, pixels = map(np.stack, zip(*found, strict=True))
    # Each row on a scale of its own: what matters is where a Hessian is large.
    hessians /= np.abs(hessians).max(axis=(1, 2, 3), keepdims=True)
    return hessian_grid(hessians, images, pixels, labels=list(models))
