"""What a classifier that had no part in the training says about a model's images."""

from pathlib import Path

from keras_disentangle.applications import _own_data, _runs
from keras_disentangle.applications.discriminative_vae import _trained

STATISTICS = ("stored", "prior", "reconstructions")


def main(arguments=None):
    """Command line of `scripts/evaluate.py discriminative_vae`."""
    parser = _trained.parser(
        "evaluate",
        "Prints the likelihood (importance sampling), the accuracy of an independent classifier on "
        "reconstructions of test images, and Fréchet distances in its features.",
    )
    parser.add_argument("--data", default="fashion_mnist", help="what load_images takes")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    parser.add_argument("--judge", help="the classifier (.keras); by default that which ships")
    parser.add_argument("--images", type=int, default=5000, help="of each split, for likelihoods")
    parser.add_argument("--samples", type=int, default=100, help="latents for each likelihood")
    parser.add_argument(
        "--statistics",
        choices=STATISTICS,
        default="stored",
        help="of the decoder's batch normalisations: stored, those of prior samples, or those of "
        "reconstructions of training images",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the latents")
    parser.add_argument("--json", help="also write the scores to this file")
    options = parser.parse_args(arguments)
    model = _trained.load(options.weights)
    _own_data.announce(options.data, model.image_shape, options.data_dir)
    judge = _trained.load_judge(options.judge, options.data, model.image_shape)
    splits = _trained.load_splits(options.data, options.data_dir, model.image_shape)
    if options.statistics == "prior":
        model.reestimate_batch_normalization(seed=options.seed)
    elif options.statistics == "reconstructions":
        images, _ = splits["train"]
        _trained.use_statistics_of_reconstructions(model, images, seed=options.seed)
    scores = _trained.scores(
        model,
        splits,
        judge,
        seed=options.seed,
        num_images=options.images,
        num_samples=options.samples,
    )
    print(_trained.table({Path(options.weights).name: scores}))
    if "accuracy_images" in scores:
        print(f"\nthe classifier's accuracy on the images  {100 * scores['accuracy_images']:.2f}%")
    if options.json:
        _runs.write_json(Path(options.json), scores)
