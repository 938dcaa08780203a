"""The field's methods on equal terms, as an application."""

from dataclasses import dataclass, replace
from functools import lru_cache

import keras
import numpy as np

import keras_disentangle as kd
from keras_disentangle._arguments import check_int, check_number
from keras_disentangle.applications._shared.data import factors_or_images
from keras_disentangle.applications._shared.factors import (
    FactorApplication,
    FactorEvaluation,
    images_of,
)
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications._shared.release import without_optimizers
from keras_disentangle.applications._shared.tables import Column
from keras_disentangle.applications.autoencoders import study
from keras_disentangle.applications.autoencoders.autoencoder import NAME, Autoencoder
from keras_disentangle.applications.autoencoders.methods import METHODS
from keras_disentangle.applications.autoencoders.recipes import RECIPES, SWEEPS, Recipe

METRICS = ("mig", "mig_sup", "dci", "factor_vae", "info_mec")
_RECONSTRUCTED = 2000  # images whose reconstructions are scored


@dataclass(frozen=True)
class Evaluation(FactorEvaluation):
    """What is measured, and on how much."""

    metrics: tuple[str, ...] | None = setting(
        None, help=f"all, or some; without, {', '.join(METRICS)}, as far as the data allow"
    )


@dataclass(frozen=True)
class Comparison:
    """How the settings of each method are chosen."""

    images: int = setting(2000, help="images that all models encode, by which they are ranked")


class AutoencodersApplication(FactorApplication):
    name, title, factory = NAME, "Autoencoder", staticmethod(Autoencoder)
    variants = tuple(METHODS)
    recipe_class, recipes, default_recipe, sweeps = Recipe, RECIPES, "small", SWEEPS
    default_data = "shapes3d"
    columns = {**study.COLUMNS, "reconstruction": Column("reconstruction", 1, unit=" nats")}
    evaluation, comparison = Evaluation, Comparison
    # A comparison asks for the same data again and again.
    read = staticmethod(lru_cache(maxsize=2)(factors_or_images))

    def check(self, recipe, variant):
        """A recipe that says its strength, with as many steps as there are in whole epochs."""
        check_number("learning_rate", recipe.learning_rate, above=0)
        check_int("steps_per_epoch", recipe.steps_per_epoch)
        epochs = recipe.steps // recipe.steps_per_epoch
        if epochs < 1:
            raise ValueError(
                f"`steps` must be at least {recipe.steps_per_epoch}, an epoch. "
                f"Received: steps={recipe.steps}"
            )
        method = METHODS[variant]
        strength = method.strength if recipe.strength is None else recipe.strength
        if variant == "ae" and strength:
            raise ValueError(
                f"`strength` must be left out or 0 for ae, which has none. Received: {strength}"
            )
        if method.of_pairs and recipe.batch_size % 2:
            raise ValueError(
                f"`batch_size` must be even for {variant}, which is trained on pairs. "
                f"Received: batch_size={recipe.batch_size}"
            )
        return replace(recipe, strength=float(strength), steps=epochs * recipe.steps_per_epoch)

    def prepare(self, run):
        if METHODS[run.variant].of_pairs and not hasattr(run.data, "pairs"):
            raise ValueError(
                f"`data` must have a grid of factors for {run.variant}, which is trained on pairs. "
                f"Received: data={run.recipe.data}"
            )

    def build(self, recipe, variant, seed=0):
        keras.utils.set_random_seed(seed)
        names = ("image_shape", "latent_dim", "strength", "networks")
        settings = {name: getattr(recipe, name) for name in names}
        return Autoencoder(method=variant, **settings, seed=seed)

    def fit(self, model, run):
        recipe, method, data = run.recipe, METHODS[run.variant], run.data
        options = {"seed": run.seed, "steps_per_epoch": recipe.steps_per_epoch}
        if method.of_pairs:
            batches = data.pairs(recipe.batch_size // 2, **options)
        elif hasattr(data, "factors"):
            batches = data.batches(recipe.batch_size, **options)
        else:
            batches = kd.datasets.image_batches(data, recipe.batch_size, **options)
        model.compile(**method.optimizers(model, recipe.learning_rate, recipe.strength))
        callbacks = method.callbacks(recipe.strength, recipe.steps)
        epochs = recipe.steps // recipe.steps_per_epoch
        run.fit(model, batches, epochs=epochs, callbacks=callbacks)
        return model

    def scores(self, model, data, settings, recipe=None):
        """Those of `kd.evaluate`, and how well images are reconstructed from their codes."""
        rng = np.random.default_rng(settings.seed)
        scores = {}
        if hasattr(data, "factors"):
            if settings.metrics is None:
                is_grid = isinstance(data, kd.datasets.FactorDataset)
                known = tuple(x for x in METRICS if is_grid or x != "factor_vae")
                settings = replace(settings, metrics=known)
            scores = super().scores(model, data, settings)
            index = data.sample_index(_RECONSTRUCTED, rng)
        else:
            index = rng.permutation(len(data))[:_RECONSTRUCTED]
        scores["reconstruction"] = study.reconstruction(model, lambda i: images_of(data, i), index)
        return scores

    def check_results(self, results):
        results["scores"]["reconstruction"]

    def compare(self, runs, settings, data_dir):
        """Means over seeds; of each method the strength that UDR prefers, which sees no factors."""
        if len(found := {(run.recipe.data, tuple(run.recipe.image_shape)) for run in runs}) > 1:
            raise ValueError(
                f"`runs` must be of the same images. Received: {sorted(map(str, found))}"
            )
        data = self.data(runs[0].recipe, data_dir)
        index = np.random.default_rng(0).permutation(len(data))[: settings.images]
        factors = data.factors(index) if hasattr(data, "factors") else None
        names = getattr(data, "factor_names", None)
        return study.compare(self, runs, images_of(data, index), factors, names)

    def page(self, content, text, pictures):
        return study.page(content, pictures)

    def release(self, model, recipe):
        names = ("image_shape", "latent_dim", "networks", "strength")
        if model.name not in METHODS:
            raise ValueError(
                f"`model` must be one that this application trained. Received: {model.name}"
            )
        settings = {name: getattr(recipe, name) for name in names}
        settings.update(method=model.name, image_shape=list(model.image_shape))
        return settings, without_optimizers(model, Autoencoder(**settings))


APPLICATION = AutoencodersApplication()
