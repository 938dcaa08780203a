"""What the latent components of a trained progressive GAN do, in pictures."""

from pathlib import Path

from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications.progressive_gan import _trained
from keras_disentangle.visualization import (
    components_by_activeness,
    enlarge,
    hessian_grid,
    image_grid,
    penalty_heatmap,
    save_png,
)


def main(arguments=None):
    """Command line of `scripts/traverse.py progressive_gan`."""
    parser = _trained.parser(
        "traverse",
        "Draws samples, what each latent component does, the most active first, and pixels' "
        "Hessians and penalties.",
    )
    parser.add_argument("--steps", type=int, default=9, help="values of a component, from -2 to 2")
    parser.add_argument("--seed", type=int, default=0, help="of the codes")
    parser.add_argument("--out", default="runs/traversal", help="folder for the pictures")
    options = parser.parse_args(arguments)
    model, out = _trained.load(options.weights), Path(options.out)
    print(f"{', '.join(draw(model, out, options.steps, options.seed))} are in {out}")


def draw(model, out, steps=9, seed=0):
    """Writes samples.png, components.png (Figure 3), hessians.png (Figures 8 to 12) and
    penalties.png (Figure 13) into the folder `out`; returns the names."""

    def decode(z):
        return ops.convert_to_numpy(model.decode(z))

    latents = ops.convert_to_numpy(model.space.sample(6, seed=seed))
    raw, codes = _trained.measured_generator(model), _trained.measured_codes(model, 6, seed)
    images = decode(latents)
    hessians, pixels = kd.metrics.peak_hessians(raw, codes, batch_size=512)
    penalties = kd.metrics.hessian_penalty_map(raw, codes, batch_size=512).max(axis=-1)
    pictures = {
        "samples": image_grid(enlarge(_trained.samples(model, 40, seed)), columns=10),
        "components": components_by_activeness(
            lambda z: enlarge(decode(z)),
            latents[0],
            _trained.activeness(model, num_codes=100),
            steps=steps,
        ),
        "hessians": hessian_grid(hessians, images, pixels),
        "penalties": penalty_heatmap(penalties, images),
    }
    for name, picture in pictures.items():
        save_png(Path(out) / f"{name}.png", picture)
    return [f"{name}.png" for name in pictures]
