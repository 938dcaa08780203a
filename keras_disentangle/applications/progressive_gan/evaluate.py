"""The paper's measures of a trained progressive GAN."""

import argparse
from pathlib import Path

from keras_disentangle.applications import _own_data, _runs
from keras_disentangle.applications.progressive_gan import _trained
from keras_disentangle.applications.progressive_gan.presets import PRESETS


def main(arguments=None):
    """Command line of `scripts/evaluate.py progressive_gan`."""
    parser = _trained.parser(
        "evaluate",
        "Prints perceptual path length, Fréchet distance, how diagonal Hessians are (D%, D_R) and "
        "the activeness of the latent components.",
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), default="small", help="of the data")
    parser.add_argument("--data", default="clevr_1fov", help="real images for the Fréchet distance")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    parser.add_argument("--features", help="a .keras file of the features module")
    parser.add_argument("--samples", type=int, default=10_000, help="for the Fréchet distance")
    parser.add_argument("--paths", type=int, default=10_000, help="for the path lengths")
    parser.add_argument("--seed", type=int, default=0, help="of the codes")
    parser.add_argument(
        "--before-norm",
        action=argparse.BooleanOptionalAction,
        help="take Hessians and activeness before the codes are normalised, by default if there "
        "are fewer than 12 components",
    )
    parser.add_argument("--json", help="also write the scores to this file")
    options = parser.parse_args(arguments)
    model = _trained.load(options.weights)
    preset = PRESETS[options.preset]
    if model.image_shape[0] != preset.resolution:
        raise ValueError(
            f"`preset` must be that of the model, whose images have {model.image_shape[0]} pixels "
            f"a side. Received: preset={options.preset!r}"
        )
    _own_data.announce(options.data, model.image_shape, options.data_dir)
    images = _trained.load_images(options.data, preset, options.data_dir)
    scores = _trained.scores(
        model,
        images,
        options.features,
        options.samples,
        options.paths,
        options.seed,
        options.before_norm,
    )
    print(_trained.table({Path(options.weights).name: scores}))
    if options.json:
        _runs.write_json(Path(options.json), scores)
