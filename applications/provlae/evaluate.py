"""Scores of trained pro-VLAE models."""

from pathlib import Path

from keras_disentangle.applications import _evaluation, _runs
from keras_disentangle.applications.provlae import _trained

import keras_disentangle as kd


def main(arguments=None):
    """Command line of `scripts/evaluate.py provlae`."""
    parser = _trained.parser("evaluate", "Scores a model against the factors of its data.")
    _evaluation.add_options(parser)
    options = parser.parse_args(arguments)
    model, data = _trained.load(options)
    if hasattr(data, "factors"):
        _evaluation.report(model, data, options.weights, options)
        return
    # Images alone tell how much the codes know, not of what.
    size = min(options.samples, len(data))
    mean, log_var = kd.encode_images(model, lambda i: data[i], size, verbose=1)
    information = kd.metrics.latent_information(mean, log_var, rungs=model.rung_sizes)
    scores = {"information": information["rungs"], "information_total": information["total"]}
    print("\n" + _evaluation.table(scores, {}))
    out = Path(options.out) / "evaluation.json"
    _runs.write_json(out, {"scores": scores, "versions": _evaluation.versions()})
    print(f"\nevaluation.json is in {options.out}")
