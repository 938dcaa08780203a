"""The images of the experiments, by name."""

from pathlib import Path

import numpy as np

import keras_disentangle as kd
from keras_disentangle.applications._shared.data import images_alone, skips_damaged
from keras_disentangle.applications.progressive_gan.recipes import EXPERIMENTS

NUM_IMAGES = 10_000  # in each of the paper's CLEVR data sets


def load_images(name_or_path, preset, data_dir=None):
    """uint8 images (n, h, w, 3) of a preset's size.

    Args:
        name_or_path: a name in `EXPERIMENTS`, or what `kd.datasets.load_images` takes. Those of
            CLEVR are drawn: 10,000 at random, the same each time. "edges_and_shoes" are the
            pictures of edges2shoes in the folder of this name, edge map and photograph side by
            side.
        data_dir: where names are looked for.

    Raises:
        ValueError: as `load_images`.
        FileNotFoundError: if the named data are not there.
    """
    size = preset.resolution
    if is_clevr(name_or_path):
        variant = EXPERIMENTS[name_or_path].clevr
        data = kd.datasets.Clevr(variant, image_size=size, zoom=preset.zoom)
        rng = np.random.default_rng(0)
        return data.images(rng.choice(len(data), NUM_IMAGES, replace=False))
    if name_or_path == "edges_and_shoes":
        inside = Path(data_dir or ".").expanduser() / "edges2shoes"
        found = [folder for folder in (inside / "train", inside) if any(folder.glob("*.*"))]
        if not found:
            raise FileNotFoundError(
                "`data`: edges_and_shoes needs a folder edges2shoes/train or edges2shoes in "
                "`data_dir`, of pictures that hold edge map and photograph side by side. "
                f"Received: data_dir={data_dir}"
            )
        options = {"skip_damaged": skips_damaged()}
        edges, shoes = kd.datasets.load_paired_images(found[0], (size, size, 3), **options)
        return kd.datasets.edges_and_images(shoes, edges)[0]
    return images_alone(name_or_path, (size, size, 3), data_dir)


def is_clevr(name):
    """Whether this is the name of CLEVR data."""
    return name in EXPERIMENTS and EXPERIMENTS[name].clevr is not None
