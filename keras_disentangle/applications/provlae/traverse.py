"""Latent traversals of trained pro-VLAE models."""

from pathlib import Path

import numpy as np
from keras import ops

from keras_disentangle.applications.provlae import _trained
from keras_disentangle.visualization import (
    enlarge,
    latent_traversal,
    rung_samples,
    save_gif,
    save_png,
    traversal_frames,
)


def main(arguments=None):
    """Command line of `scripts/traverse.py provlae`."""
    parser = _trained.parser("traverse", "Draws a model's latent traversals around one image.")
    parser.add_argument("--image", type=int, default=0, help="index of the image to start from")
    parser.add_argument("--span", type=float, default=2.5, help="furthest value, in deviations")
    parser.add_argument("--out", default="runs/traversal", help="folder for the pictures")
    options = parser.parse_args(arguments)
    model, data = _trained.load(options)
    if not 0 <= options.image < len(data):
        raise ValueError(f"`image` must lie in 0..{len(data) - 1}. Received: {options.image}")
    index = np.array([options.image])
    image = data.images(index) if hasattr(data, "factors") else data[index]
    latent = ops.convert_to_numpy(model.encode(np.divide(image, 255, dtype="float32"))[0])[0]

    def decode(z):
        return enlarge(ops.convert_to_numpy(model.decode(z.astype("float32"))).clip(0, 1))

    rungs, out = model.rung_sizes, Path(options.out)
    save_png(
        out / "traversal.png", latent_traversal(decode, latent, span=options.span, rungs=rungs)
    )
    save_png(out / "rung_samples.png", rung_samples(decode, latent, rungs))
    save_gif(
        out / "traversal.gif", traversal_frames(decode, latent, span=options.span, rungs=rungs)
    )
    print(f"traversal.png, traversal.gif and rung_samples.png are in {out}")
