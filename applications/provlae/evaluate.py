"""Scores of trained pro-VLAE models."""

import json

from keras_disentangle.applications.provlae import _trained

import keras_disentangle as kd


def main(arguments=None):
    """Command line of `scripts/evaluate.py provlae`."""
    parser = _trained.parser("evaluate", "Scores a model against the factors of its data.")
    parser.add_argument("--samples", type=int, default=20_000, help="images that are encoded")
    parser.add_argument("--votes", type=int, default=1000, help="training votes of FactorVAE")
    parser.add_argument("--seed", type=int, default=0, help="of the images and the draws")
    parser.add_argument("--json", help="also write the scores to this file")
    options = parser.parse_args(arguments)
    model, data = _trained.load(options)
    if isinstance(data, kd.datasets.FactorDataset):
        scores = kd.evaluate(
            model, data, num_samples=options.samples, num_votes=options.votes, seed=options.seed
        )
    else:
        size = min(options.samples, len(data))
        mean, log_var = kd.encode_images(model, lambda i: data[i], size)
        information = kd.metrics.latent_information(mean, log_var, rungs=model.rung_sizes)
        scores = {"information": information["rungs"], "information_total": information["total"]}
    for name, value in scores.items():
        values = value if isinstance(value, list) else [value]
        print(f"{name:18}" + "".join(f"{number:9.4f}" for number in values))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(scores, file, indent=2)
