"""Pictures of trained models side by side: the paper's Figures 2 to 6."""

from pathlib import Path

import numpy as np
from keras import ops

from keras_disentangle.applications import _own_data
from keras_disentangle.applications.discriminative_vae import _trained
from keras_disentangle.applications.discriminative_vae.classifier import to_float
from keras_disentangle.visualization import enlarge, image_grid, save_png


def main(arguments=None):
    """Command line of `scripts/traverse.py discriminative_vae`."""
    parser = _trained.parser(
        "traverse", "Draws samples, reconstructions and interpolations of trained models."
    )
    parser.add_argument("--against", nargs="*", default=[], help="further models, .keras files")
    parser.add_argument("--data", default="fashion_mnist", help="what load_images takes")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    parser.add_argument("--columns", type=int, default=16, help="images in a row")
    parser.add_argument("--seed", type=int, default=0, help="of the samples, and which images")
    parser.add_argument("--out", default="runs/traversal", help="folder for the pictures")
    options = parser.parse_args(arguments)
    paths = [options.weights, *options.against]
    names = [Path(path).parent.name if path.endswith(".keras") else path for path in paths]
    if len(set(names)) < len(names):
        raise ValueError(f"`against` must be models of other folders. Received: {names}")
    models = {name: _trained.load(path) for name, path in zip(names, paths, strict=True)}
    image_shape = next(iter(models.values())).image_shape
    _own_data.announce(options.data, image_shape, options.data_dir)
    images, _ = _trained.load_splits(options.data, options.data_dir, image_shape)["test"]
    out = Path(options.out)
    written = draw(models, images, out, columns=options.columns, seed=options.seed)
    print(f"{', '.join(written)} are in {out}")


def draw(models, images, out, *, columns=16, seed=0):
    """Writes pictures of some models into the folder `out`; returns their names.

    `samples_<model>.png` (four rows), `interpolations_<model>.png` (four rows, of which the ends
    are reconstructions) and `reconstructions.png`: images, and below them those of each model.

    Args:
        models: dict of a name to a VAE.
        images: uint8 array of real images, of which some are taken at random.
        columns: images in a row.
        seed: of samples and choice.
    """
    rng = np.random.default_rng(seed)
    chosen = to_float(images[rng.choice(len(images), columns, replace=len(images) < columns)])
    rows, pictures = [chosen], {}
    for name, model in models.items():
        pictures[f"samples_{name}.png"] = _trained.samples(model, 4 * columns, seed)
        ends = np.resize(chosen, (8, *chosen.shape[1:]))
        ways = ops.convert_to_numpy(model.interpolate(ends[:4], ends[4:], columns))
        pictures[f"interpolations_{name}.png"] = ways.reshape(-1, *model.image_shape)
        rows.append(_trained.reconstructions(model, chosen))
    pictures["reconstructions.png"] = np.concatenate(rows)
    labels = {"reconstructions.png": ["images", *models]}
    for name, found in pictures.items():
        grid = image_grid(enlarge(found.clip(0, 1)), columns, row_labels=labels.get(name))
        save_png(out / name, grid)
    return sorted(pictures)
