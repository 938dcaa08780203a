"""Scores of trained pro-VLAE models."""

from pathlib import Path

import numpy as np

import keras_disentangle as kd
from keras_disentangle.applications import _evaluation, _weights
from keras_disentangle.applications.provlae import _trained


def main(arguments=None):
    """Command line of `scripts/evaluate.py provlae`."""
    parser = _trained.parser("evaluate", "Scores a model against the factors of its data.")
    _evaluation.add_options(parser)
    options = parser.parse_args(arguments)
    model, data = _trained.load(options)
    weights = options.weights
    if not _weights.is_path(weights):
        weights = _weights.shipped_path(Path(__file__).parent, weights)
    if hasattr(data, "factors"):
        _evaluation.report(model, data, options.weights, weights, options)
        return
    # Images alone tell how much the codes know, not of what.
    if options.metrics not in (None, ["information"]) or options.resamples or options.options:
        raise ValueError(
            "`data` must have factors for metrics other than the information. "
            f"Received: {options.data}"
        )
    size = min(options.samples, len(data))
    index = np.random.default_rng(options.seed).choice(len(data), size, replace=False)
    mean, log_var = kd.encode_images(model, lambda i: data[index[i]], size, verbose=1)
    information = kd.metrics.latent_information(
        mean, log_var, rungs=model.rung_sizes, seed=options.seed
    )
    scores = {"information": information["rungs"], "information_total": information["total"]}
    print("\n" + _evaluation.table(scores, {}))
    settings = {"metrics": ["information"], "num_samples": size, "seed": options.seed}
    out = Path(options.out)
    _evaluation.write(out, {"scores": scores}, options.weights, weights, options.data, settings)
    print(f"\nevaluation.json is in {out}")
