"""What learnt directions do, in pictures: the paper's Figures 6 and 7."""

from pathlib import Path

import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications.direction_discovery import _trained
from keras_disentangle.visualization import (
    direction_frames,
    direction_traversal,
    enlarge,
    save_gif,
    save_png,
)


def main(arguments=None):
    """Command line of `scripts/traverse.py direction_discovery`."""
    parser = _trained.parser(
        "traverse",
        "Draws the learnt directions, the most active first, and the most active one for several "
        "latents, aligned by taking it out of them first.",
    )
    parser.add_argument("--directions", type=int, default=12, help="how many are drawn")
    parser.add_argument("--latents", type=int, default=6, help="rows of the aligned pictures")
    parser.add_argument("--span", type=float, help="how far to go (3 of 5, of the preset's path)")
    parser.add_argument("--steps", type=int, default=9, help="images in a row")
    parser.add_argument("--seed", type=int, default=0, help="of the latents")
    parser.add_argument("--out", default="runs/traversal", help="folder for the pictures")
    options = parser.parse_args(arguments)
    names = draw(
        _trained.load(options.weights),
        Path(options.out),
        num_directions=options.directions,
        num_latents=options.latents,
        span=options.span,
        steps=options.steps,
        seed=options.seed,
    )
    print(f"{', '.join(names)} are in {options.out}")


def draw(model, out, *, num_directions=12, num_latents=6, span=None, steps=9, seed=0):
    """Writes directions.png and directions.gif (Figure 6), aligned.png and, without taking the
    direction out of the latents, not_aligned.png (Figure 7) into the folder `out`; returns the
    names. Directions are numbered from 1, in the order in which they were learnt."""
    span = 0.6 * model.path_size if span is None else span
    raw = _trained.decoder(model)

    def decode(z):
        return enlarge(raw(z).clip(0, 1))

    matrix = _trained.matrix(model)
    # Of many directions, which have large generators as a rule, at fewer codes.
    num_samples = max(4, 600 // len(matrix))
    active = kd.metrics.activeness(
        raw, model.space, num_samples=num_samples, directions=matrix, batch_size=512
    )
    order = np.argsort(-active)[:num_directions]
    latents = ops.convert_to_numpy(model.space.sample(num_latents, seed=seed))
    options = {"span": span, "steps": steps, "value_labels": True}
    pictures = {
        "directions": direction_traversal(
            decode,
            latents[0],
            matrix[order],
            orthogonal=True,
            labels=[f"w{i + 1}" for i in order],
            **options,
        ),
        "aligned": direction_traversal(
            decode, latents, matrix[order[0]], orthogonal=True, **options
        ),
        "not_aligned": direction_traversal(decode, latents, matrix[order[0]], **options),
    }
    for name, picture in pictures.items():
        save_png(out / f"{name}.png", picture)
    frames = direction_frames(decode, latents[0], matrix[order], span=span, orthogonal=True)
    save_gif(out / "directions.gif", frames)
    return [*(f"{name}.png" for name in pictures), "directions.gif"]
