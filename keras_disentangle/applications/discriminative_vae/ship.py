"""Turns a trained discriminative VAE into weights that ship with the application."""

import argparse

import keras_disentangle as kd
from keras_disentangle.applications import _runs, _weights
from keras_disentangle.applications.discriminative_vae import _trained
from keras_disentangle.applications.discriminative_vae.discriminative_vae import (
    FOLDER,
    DiscriminativeVAE,
)
from keras_disentangle.applications.discriminative_vae.train import RECIPES


def main(arguments=None):
    """Command line of `scripts/ship.py discriminative_vae`."""
    parser = argparse.ArgumentParser(
        prog="ship.py discriminative_vae",
        description="Stores a trained model's weights in applications/discriminative_vae/weights, "
        "with a checksum and the scores of the stored weights in the manifest, and the classifier "
        "that measures beside them.",
    )
    parser.add_argument("name", help="the name that DiscriminativeVAE(weights=...) will take")
    parser.add_argument("model", help="the .keras file of a training with an own classifier")
    parser.add_argument("judge", help="the .keras file of the classifier that measures")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="fashion_mnist")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    options = parser.parse_args(arguments)
    recipe, model = RECIPES[options.recipe], _trained.load(options.model)
    settings = {
        "image_shape": list(model.image_shape),
        "latent_dim": model.latent_dim,
        "networks": recipe.networks,
        "pixel_scale": model.pixel_scale,
        "beta": float(model.ramps["beta"](model.step)),
    }
    if not isinstance(model, kd.models.DiscriminativeVAE):
        raise ValueError(f"`model` must be a DiscriminativeVAE. Received: {type(model)}")
    settings["encoder_gradient"] = model.encoder_gradient
    settings["feature_weights"] = {
        name: round(float(model.ramps[f"feature_weight_{name}"](model.step)), 6)
        for name in model.feature_loss.layer_names
    }
    judge = _trained.load_judge(options.judge, recipe.data, model.image_shape)
    _weights.save_weights(model, FOLDER, "DiscriminativeVAE", options.name, settings)
    beside = _trained.shipped_judge(recipe.data)
    _runs.save_model(judge, beside)
    _weights.record_file(beside, "DiscriminativeVAE")

    shipped = DiscriminativeVAE(weights=options.name)
    splits = _trained.load_splits(recipe.data, options.data_dir, shipped.image_shape)
    scores = _trained.scores(shipped, splits, judge)
    _weights.record_scores(FOLDER, "DiscriminativeVAE", options.name, scores)
    print(scores)
