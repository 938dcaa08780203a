"""The paper's measures of a trained generator, and the least path length that data allow."""

import numpy as np
from keras import ops
from scipy.special import betainc

import keras_disentangle as kd
from keras_disentangle.applications._shared.calls import in_batches
from keras_disentangle.applications.progressive_gan import features
from keras_disentangle.applications.progressive_gan.networks import LATENT_DIM

DIAGONALITY = ("max_on_diagonal", "diagonal_ratio", "pooled_ratio")


def samples(model, num_samples, seed, batch_size=500):
    """`num_samples` images in [0, 1], of the running mean of the generator."""

    def draw(numbers):
        return model.sample(len(numbers), seed=(seed + 1) * 10_000 + numbers[0] // batch_size)

    return in_batches(draw, range(num_samples), batch_size)


def measured_before_norm(model, before_norm=None):
    """Whether Hessians and activeness are measured at codes before their normalisation: by default
    for few components.

    So the release advises for fewer than 12 components: on a sphere of few dimensions no component
    moves by itself, and -2, 0 and 2 lie off it.
    """
    return model.latent_dim < LATENT_DIM if before_norm is None else before_norm


def measured_generator(model, before_norm=None):
    """A function from the codes at which measures are taken to images as the generator gives them,
    about [-1, 1].

    The authors measure Hessians and activeness at codes that are normalised, with a generator that
    does not normalise them any more; of few components, as `measured_before_norm` says.
    """
    stage = model.stage
    before_norm = measured_before_norm(model, before_norm)

    def generate(z):
        return ops.convert_to_numpy(model.ema_generator(z, stage=stage, normalize=before_norm))

    return generate


def measured_codes(model, num_codes, seed, before_norm=None):
    """Random codes (n, d) as `measured_generator` takes them: of mean square 1, or as drawn."""
    z = ops.convert_to_numpy(model.space.sample(num_codes, seed=seed)).astype("float64")
    if measured_before_norm(model, before_norm):
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


def scores(model, images, settings):
    """The paper's measures of a trained model: path lengths, Fréchet distance, how diagonal
    Hessians are, and the activeness of all components, the most active first.

    Args:
        images: real images (n, h, w, 3) of uint8, for the Fréchet distance.
        settings: the dataclass `Evaluation`.
    """
    image_features, distance = features.load(settings.features)
    seed, before_norm = settings.seed, settings.before_norm
    diagonality = kd.metrics.hessian_diagonality(
        measured_generator(model, before_norm),
        measured_codes(model, 100, seed, before_norm),
        batch_size=512,
    )
    active = np.sort(activeness(model, seed=seed, before_norm=before_norm))
    count = min(settings.samples, len(images))
    return {
        **path_lengths(model.decode, model.space.dim, distance, settings.paths, seed),
        "frechet_distance": kd.metrics.frechet_distance(
            image_features(images[:count]), image_features(samples(model, count, seed))
        ),
        **{name: diagonality[name] for name in DIAGONALITY},
        "activeness": active[::-1].tolist(),
    }


def path_lengths(decode, latent_dim, distance, num_paths=10_000, seed=0):
    """Path lengths by a distance of `features` and by that of pixels."""
    distances = {
        "perceptual_path_length": distance,
        "pixel_path_length": kd.metrics.squared_pixel_distance,
    }
    settings = {"num_samples": num_paths, "seed": seed, "batch_size": 250}
    return {
        name: kd.metrics.perceptual_path_length(decode, latent_dim, distance, **settings)
        for name, distance in distances.items()
    }
