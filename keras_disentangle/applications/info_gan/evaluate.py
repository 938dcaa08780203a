"""What the codes of a trained InfoGAN say: information in nats, and digits without labels."""

from pathlib import Path

import numpy as np

import keras_disentangle as kd
from keras_disentangle.applications import _own_data, _runs
from keras_disentangle.applications.info_gan import _trained


def main(arguments=None):
    """Command line of `scripts/evaluate.py info_gan`."""
    parser = _trained.parser(
        "evaluate",
        "Prints the information bound of each code and, for data with classes, the error of the "
        "categorical code as a classifier: categories are matched to labels one to one.",
    )
    parser.add_argument("--data", help="mnist, or what load_images takes (a name, a path)")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    parser.add_argument("--split", default="test", help="which part of the data")
    parser.add_argument("--samples", type=int, default=10_000, help="images that are generated")
    parser.add_argument("--seed", type=int, default=0, help="of the generated images")
    parser.add_argument("--json", help="also write the scores to this file")
    options = parser.parse_args(arguments)
    model = _trained.load(options.weights)
    information, entropy = _information(model, options)
    scores = {"information": information, "entropy": entropy}
    if options.data is not None:
        _own_data.announce(options.data, model.image_shape, options.data_dir)
        images, labels = kd.datasets.load_images(
            options.data,
            split=options.split,
            data_dir=options.data_dir,
            image_shape=model.image_shape,
        )
        if labels is None:
            raise ValueError(f"`data` must have classes. Received: data={options.data}")
        result = _trained.classification(model, images, labels)
        scores["classification"] = {
            "images": len(images),
            "error": result["error"],
            "information": result["information"],
            "assignment": {str(k): int(v) for k, v in result["assignment"].items()},
        }
        _print_classes(result["categories"], labels, result)
    if options.json:
        _runs.write_json(Path(options.json), scores)


def _information(model, options):
    information = _trained.information(model, options.samples, options.seed)
    entropy = model.space.entropy()
    print(f"{'code':16}{'L_I':>9}{'H(c)':>9}   nats")
    for name, value in information.items():
        print(f"{name:16}{value:9.4f}{entropy[name]:9.4f}")
    return information, entropy


def _print_classes(categories, labels, result):
    classes = np.unique(labels)
    print("\ncategory, its label, and how many images of each label it took:")
    for category in np.unique(categories):
        counts = [np.sum((categories == category) & (labels == label)) for label in classes]
        label = result["assignment"].get(int(category), "-")
        print(f"{category:4} {label!s:>4} " + "".join(f"{count:7}" for count in counts))
    print(
        f"\n{len(labels)} images, error {100 * result['error']:.2f}%, "
        f"information of image and category {result['information']:.3f} nats"
    )
