"""Directions in the latent space of a trained generator, as an application."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle._arguments import check_int, check_number, check_weight
from keras_disentangle.applications._shared.application import Application
from keras_disentangle.applications._shared.calls import as_pictures
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications._shared.tables import Column
from keras_disentangle.applications.direction_discovery import measures
from keras_disentangle.applications.direction_discovery.direction_discovery import (
    METHODS,
    NAME,
    UNTRAINED,
    DirectionDiscovery,
    build,
    directions_of,
)
from keras_disentangle.applications.direction_discovery.recipes import RECIPES, Recipe
from keras_disentangle.models.frozen_generator_model import FrozenGeneratorModel
from keras_disentangle.visualization import direction_frames, direction_traversal

# What of a recipe directions belong to.
GENERATOR = ("generator", "generator_weights", "block", "labels", "path_size")


@dataclass(frozen=True)
class Comparison:
    """How several sets of directions of one generator are scored."""

    codes: int = setting(10, help="codes at which Hessians are taken")


@dataclass(frozen=True)
class Evaluation(Comparison):
    """How directions are scored, beside the axes and three random orthonormal sets."""

    seed: int = setting(0, help="of the codes")
    position: bool | None = setting(
        None,
        help="also how well the most active direction predicts where the cube of CLEVR-1FOV is; by "
        "default as the recipe of the training says",
    )


@dataclass(frozen=True)
class Traversal:
    """Which directions are drawn, and how."""

    directions: int = setting(12, help="how many are drawn, the most active first")
    latents: int = setting(6, help="rows of the aligned pictures")
    span: float | None = setting(None, help="how far to go (3 of 5, of the recipe's path)")
    steps: int = setting(9, help="images in a row")
    seed: int = setting(0, help="of the latents")


class DirectionApplication(Application):
    name, title, factory = NAME, "DirectionDiscovery", staticmethod(DirectionDiscovery)
    model_class = FrozenGeneratorModel
    variants = METHODS
    recipe_class, recipes, default_recipe = Recipe, RECIPES, "clevr_1fov"
    weights = "clevr_1fov"
    takes_data = needs_data = False
    columns = {
        "penalty": Column("penalty", 4),
        "max_on_diagonal": Column("D%", 3),
        "diagonal_ratio": Column("D_R", 2),
        "pooled_ratio": Column("D_R, pooled", 2),
        "top_activeness": Column("top share", 3),
        "position": Column("position", 3),
    }
    # What the methods minimise.
    curve_scales = dict.fromkeys(
        ("hessian_penalty", "direction_loss", "contrastive_loss"), "linear"
    )
    evaluation, traversal, comparison = Evaluation, Traversal, Comparison
    reserved = ("axes", "random", "random_deviation")
    mantissa_bits = None  # Rounded to half precision, directions are not orthonormal any more.

    def check(self, recipe, variant):
        for name in ("steps", "steps_per_epoch", "batch_size"):
            check_int(name, getattr(recipe, name))
        check_number("path_size", recipe.path_size, above=0)
        if not check_weight("learning_rate", recipe.learning_rate):
            raise ValueError("`learning_rate` must be positive. Received: learning_rate=0")
        if recipe.steps % recipe.steps_per_epoch:
            raise ValueError(
                f"`steps` must be a positive multiple of {recipe.steps_per_epoch}, an epoch. "
                f"Received: steps={recipe.steps}"
            )
        return recipe

    def build(self, recipe, variant, seed=0):
        keras.utils.set_random_seed(seed)
        return build(recipe, variant, seed)

    def fit(self, model, run):
        if run.variant in UNTRAINED:
            return model
        recipe, epochs = run.recipe, run.recipe.steps // run.recipe.steps_per_epoch
        learns = run.variant == "hessian_penalty"
        model.compile(keras.optimizers.Adam(recipe.learning_rate) if learns else None)
        shown = {"span": 0.6 * model.path_size, "max_directions": 12, "batch_size": 250}
        every = max(1, epochs // 5)
        pictures = kd.callbacks.DirectionTraversal(run.log_dir, every=every, **shown)
        options = {"batch_size": recipe.batch_size, "epochs": epochs, "callbacks": [pictures]}
        run.fit(model, recipe.steps_per_epoch, **options)
        return model

    def final_scores(self, model, run):
        if run.recipe.generator == "BigGAN":  # More than a million images, if they are asked for.
            return None
        return super().final_scores(model, run)

    def headline(self, scores):
        return scores["learnt"]

    def scores(self, model, data, settings, recipe=None):
        return self._scores({"learnt": model}, settings, recipe)

    def text(self, rows):
        """Of scores that hold a row for each set of directions."""
        found = {label: row for scores in rows.values() for label, row in scores.items()}
        return super().text(found)

    def compare(self, runs, settings, data_dir):
        generators = {
            run.name: (run.recipe.generator, run.recipe.generator_weights) for run in runs
        }
        if len(set(generators.values())) > 1:
            raise ValueError(
                "`runs` must all be trainings on one generator. Received: the generators and their "
                f"weights {generators}"
            )
        models = {run.name: run.load(self) for run in runs}
        found = self._scores(models, Evaluation(settings.codes), runs[0].recipe)
        return found, self.text({"": found}), self.curves({run.name: run.results for run in runs})

    def _scores(self, models, settings, recipe):
        position = settings.position
        if position is None:
            position = recipe is not None and recipe.one_cube
        return measures.compare(models, settings.codes, settings.seed, position)

    def pictures(self, model, data, settings, recipe=None):
        """The learnt directions, the most active first (directions, Figure 6), and the most
        active one for several latents, which it is taken out of first (aligned) or not
        (not_aligned, Figure 7). Directions are numbered from 1, as they were learnt."""
        span = 0.6 * model.path_size if settings.span is None else settings.span
        raw, matrix = measures.decoder(model), measures.matrix(model)
        decode = as_pictures(raw)
        # Of many directions, which have large generators as a rule, at fewer codes.
        num_samples = max(4, 600 // len(matrix))
        active = kd.metrics.activeness(
            raw, model.space, num_samples=num_samples, directions=matrix, batch_size=512
        )
        order = np.argsort(-active)[: settings.directions]
        latents = ops.convert_to_numpy(model.space.sample(settings.latents, seed=settings.seed))
        options = {"span": span, "steps": settings.steps}
        first, labels = matrix[order[0]], [f"w{i + 1}" for i in order]
        return {
            "directions.png": direction_traversal(
                decode, latents[0], matrix[order], orthogonal=True, labels=labels, **options
            ),
            "aligned.png": direction_traversal(decode, latents, first, orthogonal=True, **options),
            "not_aligned.png": direction_traversal(decode, latents, first, **options),
            "directions.gif": direction_frames(
                decode, latents[0], matrix[order], span=span, orthogonal=True
            ),
        }

    def release(self, model, recipe):
        for name, known in RECIPES.items():
            if all(getattr(known, part) == getattr(recipe, part) for part in GENERATOR):
                return {"preset": name}, directions_of(model)
        raise ValueError(
            f"`recipe` must have {', '.join(GENERATOR)} of one of {sorted(RECIPES)}. "
            f"Received: {recipe}"
        )


APPLICATION = DirectionApplication()
