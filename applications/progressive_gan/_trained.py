"""What this application's commands share: trained models, their data and their scores."""

import argparse

import numpy as np
from keras import ops
from keras_disentangle.applications import _runs
from keras_disentangle.applications.progressive_gan import features
from keras_disentangle.applications.progressive_gan.progressive_gan import ProgressiveGAN

import keras_disentangle as kd

CLEVR = {f"clevr_{variant}": variant for variant in ("1fov", "simple", "complex")}
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


def parser(command, description):
    """A parser with the options that choose the model."""
    result = argparse.ArgumentParser(
        prog=f"{command}.py progressive_gan",
        description=description,
        epilog=f"Example: {command}.py progressive_gan --weights runs/finetune/model.keras",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    shipped = kd.applications.available_weights().get("ProgressiveGAN", [])
    result.add_argument(
        "--weights",
        default="clevr_1fov_finetuned",
        help=f"shipped weights ({', '.join(shipped)}) or a .keras file",
    )
    return result


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
            time; or what `kd.datasets.load_images` takes.
        data_dir: where the latter looks for names.

    Raises:
        ValueError: as `load_images`.
    """
    size = preset.resolution
    if name_or_path in CLEVR:
        data = kd.datasets.Clevr(CLEVR[name_or_path], image_size=size, zoom=preset.zoom)
        rng = np.random.default_rng(0)
        return data.images(rng.choice(len(data), NUM_IMAGES, replace=False))
    return kd.datasets.load_images(name_or_path, data_dir=data_dir, image_shape=(size, size, 3))[0]


def samples(model, num_samples, seed, batch_size=500):
    """`num_samples` images in [0, 1], of the running mean of the generator."""
    sizes = np.diff(np.append(np.arange(0, num_samples, batch_size), num_samples))
    parts = [model.sample(int(size), seed=(seed + 1) * 10_000 + i) for i, size in enumerate(sizes)]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])


def raw_generator(model):
    """A function from normalised codes to images as the generator gives them, about [-1, 1].

    The authors measure Hessians and activeness so: at codes that are normalised, and with a
    generator that does not normalise them any more.
    """
    stage = model.stage

    def generate(z):
        return ops.convert_to_numpy(model.ema_generator(z, stage=stage, normalize=False))

    return generate


def normalised_codes(model, num_codes, seed):
    """Random codes (n, d) as `raw_generator` takes them: of mean square 1."""
    z = ops.convert_to_numpy(model.space.sample(num_codes, seed=seed)).astype("float64")
    return z / np.sqrt(np.square(z).mean(axis=1, keepdims=True))


def activeness(model, num_codes=300, seed=0):
    """Activeness of each latent component (d,), measured as by the authors."""
    codes = normalised_codes(model, num_codes, seed)
    return kd.metrics.activeness(raw_generator(model), model.space, codes=codes, batch_size=500)


def scores(model, images=None, features_path=None, num_samples=10_000, num_paths=10_000, seed=0):
    """The paper's measures of a trained model: a dict with the keys of `SCORES` and "activeness".

    Args:
        images: real images (n, h, w, 3) of uint8, for the Fréchet distance, of which at most
            `num_samples` are taken; without them there is none.
        features_path: a `.keras` file of `features`, by default what ships.
        num_samples: generated images for the Fréchet distance.
        num_paths: pairs of images for the path lengths.
        seed: of all codes.
    """
    image_features, distance = features.load(features_path)

    def decode(z):
        return ops.convert_to_numpy(model.decode(z))

    def path_length(distance):
        return kd.metrics.perceptual_path_length(
            decode,
            model.space.dim,
            distance,
            num_samples=num_paths,
            seed=seed,
            batch_size=250,
        )

    diagonality = kd.metrics.hessian_diagonality(
        raw_generator(model), normalised_codes(model, 100, seed), batch_size=512
    )
    found = {
        "perceptual_path_length": path_length(distance),
        "pixel_path_length": path_length(kd.metrics.squared_pixel_distance),
    }
    if images is not None:
        count = min(num_samples, len(images))
        found["frechet_distance"] = kd.metrics.frechet_distance(
            image_features(images[:count]), image_features(samples(model, count, seed))
        )
    found.update({name: diagonality[name] for name in SCORES if name in diagonality})
    found["activeness"] = np.sort(activeness(model, seed=seed))[::-1].tolist()
    return found


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
        values = np.array(found["activeness"])
        shares = "".join(f"{100 * value / values.sum():7.1f}" for value in values)
        lines.append(f"{label:{width}}{shares} %, sum {values.sum():.4g}")
    return "\n".join(lines)
