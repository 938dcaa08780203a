"""Models that encode images, with or without factors: read, measured and drawn alike."""

from dataclasses import dataclass

import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications._shared.application import Application
from keras_disentangle.applications._shared.calls import as_pictures, to_float
from keras_disentangle.applications._shared.data import factors_or_images
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications._shared.tables import Column, table
from keras_disentangle.evaluation import metric_names
from keras_disentangle.metrics._information import most_told, told_shares
from keras_disentangle.models.variational_model import VariationalModel
from keras_disentangle.visualization import (
    information_flow,
    information_matrix,
    latent_traversal,
    score_points,
    traversal_frames,
)

UNITS = {
    "information": " [nats], the top rung first",
    "information_total": " [nats]",
    "kl": " [nats], the top rung first",
}
ENOUGH = 100  # Fewer images tell little of which dimension knows what.


@dataclass(frozen=True)
class FactorEvaluation:
    """What is measured, and on how much."""

    metrics: tuple[str, ...] | None = setting(
        None, help=f"all, or some of {', '.join(metric_names())}"
    )
    samples: int = setting(10_000, help="images that are encoded")
    votes: int = setting(1000, help="training votes of FactorVAE and beta-VAE")
    resamples: int = setting(0, help="of the 95% intervals, less bias; 0 is none")
    options: dict | None = setting(
        None, help='arguments of single metrics, as JSON: \'{"dci": {"estimator": "exact"}}\''
    )
    seed: int = setting(0, help="of the images and the draws")

    def arguments(self):
        """What `kd.evaluate` takes."""
        some = None if self.metrics is None else list(self.metrics)
        return {
            "metrics": "all" if some and "all" in some else some,
            "num_samples": self.samples,
            "num_votes": self.votes,
            "num_resamples": self.resamples,
            "options": self.options,
            "seed": self.seed,
            "batch_size": 500,
        }


@dataclass(frozen=True)
class ImageTraversal:
    """Around which image latents are traversed, and how far."""

    image: int = setting(0, help="index of the image to start from")
    span: float = setting(2.5, help="furthest value, in standard deviations of the prior")


class FactorApplication(Application):
    """An application of models that encode images of any shape.

    Its data are a data set with factors or an array of images. Any other Keras model that encodes
    images is evaluated as its scores, report and pictures say.
    """

    model_class = VariationalModel
    any_shape = draws_data = True
    evaluation, traversal = FactorEvaluation, ImageTraversal
    read = staticmethod(factors_or_images)

    def scores(self, model, data, settings, recipe=None):
        """Those of `kd.evaluate`, with their "intervals", if there are any."""
        return kd.evaluate(model, data, **settings.arguments())

    def report(self, name, scores, intervals):
        """Scores, a line each, with their 95% intervals."""
        rows = {
            score + UNITS.get(score, ""): {"score": value, "interval": intervals.get(score)}
            for score, value in scores.items()
        }
        columns = {"score": Column("value", 4), "interval": Column("95% interval", 4)}
        return table(rows, columns if intervals else {"score": columns["score"]}, "score")

    def evaluation_pictures(self, model, data, scores, name, settings):
        """Those that this model and these scores can have."""
        if not hasattr(data, "factors"):
            return {}
        rng = np.random.default_rng(settings.seed)
        index = data.sample_index(min(settings.samples, 2000), rng)
        mean, _ = kd.encode_images(model, lambda i: data.images(index[i]), len(index))
        factors, told = data.factors(index), None
        rungs, found = getattr(model, "rung_sizes", None), {}
        if len(index) >= ENOUGH:
            information = kd.metrics.mutual_information(mean, factors)
            found["information_matrix.png"] = information_matrix(
                information, data.factor_names, rungs=rungs, title=f"{name}: information in nats"
            )
            told = _told(mean, factors, data.factor_names)
        if "mig" in scores and "mig_sup" in scores:
            point = {name: {"": (scores["mig"], scores["mig_sup"])}}
            found["mig_and_mig_sup.png"] = score_points(point, x_label="MIG", y_label="MIG-sup")
        if "information" in scores:
            stage = {"total": scores["information_total"], "rungs": scores["information"]}
            found["information.png"] = information_flow([stage])
        if hasattr(model, "decode"):
            decode = as_pictures(model.decode)
            found["traversal.png"] = latent_traversal(
                decode, mean[0], rungs=rungs, factors=told, title=f"{name}: each latent alone"
            )
        return found

    def pictures(self, model, data, settings, recipe=None):
        """Traversals around one image."""
        decode, code = as_pictures(model.decode), code_of(model, data, settings.image)
        options = {"span": settings.span, "rungs": model.space}
        told, title = _told_of(model, data), f"{model.name}: each latent alone"
        return {
            "traversal.png": latent_traversal(decode, code, factors=told, title=title, **options),
            "traversal.gif": traversal_frames(decode, code, **options),
        }


def _told(codes, factors, names):
    """The texts that `latent_traversal` takes as `factors`."""
    return [most_told(shares, names) for shares in told_shares(codes, factors)]


def _told_of(model, data):
    """The same, or `None` where no factors are known."""
    if not hasattr(data, "factors") or len(data) < ENOUGH:
        return None
    index = data.sample_index(min(1000, len(data)), np.random.default_rng(0))
    mean, _ = kd.encode_images(model, lambda i: data.images(index[i]), len(index))
    return _told(mean, data.factors(index), data.factor_names)


def images_of(data, index):
    """The uint8 images with these indices, of a data set or an array."""
    return data.images(index) if hasattr(data, "factors") else data[index]


def code_of(model, data, number):
    """The latents (d,) of one image.

    Raises:
        ValueError: if there is no such image.
    """
    if not 0 <= number < len(data):
        raise ValueError(f"`image` must lie in 0..{len(data) - 1}. Received: image={number}")
    image = to_float(images_of(data, np.array([number])))
    return ops.convert_to_numpy(model.represent(image))[0]
