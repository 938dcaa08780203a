"""What this application's commands share: trained models, their data and their scores."""

from functools import partial
from pathlib import Path

import numpy as np
from keras import ops
from scipy.special import betainc

import keras_disentangle as kd
from keras_disentangle.applications import _runs
from keras_disentangle.applications.progressive_gan import features
from keras_disentangle.applications.progressive_gan.networks import LATENT_DIM
from keras_disentangle.applications.progressive_gan.progressive_gan import ProgressiveGAN

CLEVR = {f"clevr_{variant}": variant for variant in ("1fov", "simple", "complex")}
CLEVR["clevr_u"] = "simple"  # CLEVR-U is a small latent space's: its images are those of Simple.
NUM_IMAGES = 10_000  # in each of the paper's CLEVR data sets
# What `scores` gives, with the paper's names and how many digits are worth while.
SCORES = {
    "perceptual_path_length": ("PPL", 4),
    "pixel_path_length": ("PPL, pixels", 2),
    "frechet_distance": ("FD", 3),
    "max_on_diagonal": ("D%", 3),
    "diagonal_ratio": ("D_R", 2),
    "pooled_ratio": ("D_R, pooled", 2),
}

parser = partial(_runs.weights_parser, "progressive_gan", "ProgressiveGAN", "clevr_1fov_finetuned")


def load(weights):
    """The trained model.

    Raises:
        ValueError: if the weights are unknown or damaged, or the model is no progressive GAN with
            a running mean of the generator.
    """
    weights = str(weights)
    is_file = weights.endswith(".keras")
    model = _runs.load_model(weights) if is_file else ProgressiveGAN(weights=weights)
    if getattr(getattr(model, "ema_generator", None), "activations", None) is None:
        raise ValueError(f"`weights` must be those of a progressive GAN. Received: {type(model)}")
    return model


def load_images(name_or_path, preset, data_dir=None):
    """uint8 images (n, h, w, 3) of a preset's size.

    Args:
        name_or_path: a name in `CLEVR`, whose images are drawn: 10,000 at random, the same each
            time; "edges_and_shoes", from the pictures of edges2shoes in the folder of this name,
            edge map and photograph side by side; or what `kd.datasets.load_images` takes.
        data_dir: where names are looked for.

    Raises:
        ValueError: as `load_images`.
        FileNotFoundError: if the named data are not there.
    """
    size = preset.resolution
    if name_or_path in CLEVR:
        data = kd.datasets.Clevr(CLEVR[name_or_path], image_size=size, zoom=preset.zoom)
        rng = np.random.default_rng(0)
        return data.images(rng.choice(len(data), NUM_IMAGES, replace=False))
    if name_or_path == "edges_and_shoes":
        folder = next(
            (path for path in _places(data_dir) if path.is_dir() and any(path.glob("*.*"))), None
        )
        if folder is None:
            raise FileNotFoundError(
                "`data`: edges_and_shoes needs a folder edges2shoes/train or edges2shoes in "
                "`data_dir`, of pictures that hold edge map and photograph side by side. "
                f"Received: data_dir={data_dir}"
            )
        edges, shoes = kd.datasets.load_paired_images(folder, (size, size, 3))
        return kd.datasets.edges_and_images(shoes, edges)[0]
    return kd.datasets.load_images(name_or_path, data_dir=data_dir, image_shape=(size, size, 3))[0]


def _places(data_dir):
    """Where pairs of edge maps and shoes may lie."""
    inside = Path("." if data_dir is None else data_dir).expanduser() / "edges2shoes"
    return inside / "train", inside


def samples(model, num_samples, seed, batch_size=500):
    """`num_samples` images in [0, 1], of the running mean of the generator."""
    sizes = np.diff(np.append(np.arange(0, num_samples, batch_size), num_samples))
    parts = [model.sample(int(size), seed=(seed + 1) * 10_000 + i) for i, size in enumerate(sizes)]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])


def measured_before_norm(model):
    """Whether Hessians and activeness are measured at codes before their normalisation.

    So the release advises for fewer than 12 components: on a sphere of few dimensions no component
    moves by itself, and -2, 0 and 2 lie off it.
    """
    return model.latent_dim < LATENT_DIM


def measured_generator(model, before_norm=None):
    """A function from the codes at which measures are taken to images as the generator gives them,
    about [-1, 1].

    The authors measure Hessians and activeness at codes that are normalised, with a generator that
    does not normalise them any more; of few components, as `measured_before_norm` says.
    """
    stage = model.stage
    before_norm = measured_before_norm(model) if before_norm is None else before_norm

    def generate(z):
        return ops.convert_to_numpy(model.ema_generator(z, stage=stage, normalize=before_norm))

    return generate


def measured_codes(model, num_codes, seed, before_norm=None):
    """Random codes (n, d) as `measured_generator` takes them: of mean square 1, or as drawn."""
    z = ops.convert_to_numpy(model.space.sample(num_codes, seed=seed)).astype("float64")
    if measured_before_norm(model) if before_norm is None else before_norm:
        return z
    return z / np.sqrt(np.square(z).mean(axis=1, keepdims=True))


def activeness(model, num_codes=300, seed=0, before_norm=None):
    """Activeness of each latent component (d,), measured as by the authors."""
    codes = measured_codes(model, num_codes, seed, before_norm)
    generate = measured_generator(model, before_norm)
    return kd.metrics.activeness(generate, model.space, codes=codes, batch_size=500)


def perfect_generator(preset, positions=50):
    """A function from codes (n, d) to images of CLEVR-1FOV: the first component, once the code is
    normalised, sets the position, evenly distributed, and the others nothing.

    Of all maps from Gaussian codes to these images with their distribution it has the shortest
    paths (Gaussian rearrangement, Ehrhard 1983): what is below its path length leaves images out,
    or blurs them. Between the images of `positions`, a third of a pixel apart, it blends: nearer
    ones would differ by rounding most of all.
    """
    data = kd.datasets.Clevr(
        "1fov", image_size=preset.resolution, zoom=preset.zoom, positions=positions
    )
    images = data.images(np.arange(positions)) / np.float32(255)

    def generate(z):
        z = np.asarray(z, "float64")
        # Of a direction's component t, (1 + t) / 2 has a beta distribution.
        half = (z.shape[1] - 1) / 2
        t = z[:, 0] / np.linalg.norm(z, axis=1)
        place = (positions - 1) * betainc(half, half, (1 + t) / 2)
        left = np.minimum(place.astype(int), positions - 2)
        share = (place - left)[:, None, None, None].astype("float32")
        return (1 - share) * images[left] + share * images[left + 1]

    return generate


def scores(
    model,
    images=None,
    features_path=None,
    num_samples=10_000,
    num_paths=10_000,
    seed=0,
    before_norm=None,
):
    """The paper's measures of a trained model: a dict with the keys of `SCORES` and "activeness".

    Args:
        images: real images (n, h, w, 3) of uint8, for the Fréchet distance, of which at most
            `num_samples` are taken; without them there is none.
        features_path: a `.keras` file of `features`, by default what ships.
        num_samples: generated images for the Fréchet distance.
        num_paths: pairs of images for the path lengths.
        seed: of all codes.
        before_norm: whether Hessians and activeness are those before the codes' normalisation;
            `None` as `measured_before_norm` says.
    """
    image_features, distance = features.load(features_path)

    def decode(z):
        return ops.convert_to_numpy(model.decode(z))

    diagonality = kd.metrics.hessian_diagonality(
        measured_generator(model, before_norm),
        measured_codes(model, 100, seed, before_norm),
        batch_size=512,
    )
    found = path_lengths(decode, model.space.dim, distance, num_paths, seed)
    if images is not None:
        count = min(num_samples, len(images))
        found["frechet_distance"] = kd.metrics.frechet_distance(
            image_features(images[:count]), image_features(samples(model, count, seed))
        )
    found.update({name: diagonality[name] for name in SCORES if name in diagonality})
    found["activeness"] = np.sort(activeness(model, seed=seed, before_norm=before_norm))[
        ::-1
    ].tolist()
    return found


def path_lengths(decode, latent_dim, distance, num_paths=10_000, seed=0):
    """Those of `SCORES`, by a distance of `features` and that of pixels."""
    distances = {
        "perceptual_path_length": distance,
        "pixel_path_length": kd.metrics.squared_pixel_distance,
    }
    settings = {"num_samples": num_paths, "seed": seed, "batch_size": 250}
    return {
        name: kd.metrics.perceptual_path_length(decode, latent_dim, distance, **settings)
        for name, distance in distances.items()
    }


def table(scores):
    """A line for each model, from a dict of its name to what `scores` gives."""
    width = max(len("model"), *map(len, scores))
    lines = [f"{'model':{width}}" + "".join(f"{title:>14}" for title, _ in SCORES.values())]
    for label, found in scores.items():
        cells = [
            f"{found[name]:14.{digits}f}" if name in found else f"{'-':>14}"
            for name, (_, digits) in SCORES.items()
        ]
        lines.append(f"{label:{width}}" + "".join(cells))
    lines.append("\nactiveness of the components, the most active first, as shares of their sum")
    for label, found in scores.items():
        if "activeness" not in found:
            continue
        values = np.array(found["activeness"])
        shares = "".join(f"{100 * value / values.sum():7.1f}" for value in values)
        lines.append(f"{label:{width}}{shares} %, sum {values.sum():.4g}")
    return "\n".join(lines)
