"""Progressive GANs with penalties of their generators, as an application."""

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

import keras_disentangle as kd
from keras_disentangle._arguments import check_choice, check_int, check_number, check_weight
from keras_disentangle._progress import progress
from keras_disentangle.applications._shared.application import Application
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications._shared.tables import Column, means, table
from keras_disentangle.applications._shared.training import EpochScores
from keras_disentangle.applications.progressive_gan import features, measures, pictures
from keras_disentangle.applications.progressive_gan.data import is_clevr, load_images
from keras_disentangle.applications.progressive_gan.progressive_gan import (
    NAME,
    ProgressiveGAN,
    copy_networks,
)
from keras_disentangle.applications.progressive_gan.recipes import (
    EXPERIMENTS,
    PRESETS,
    RECIPES,
    Recipe,
    recipe_for,
)
from keras_disentangle.schedules import read


@dataclass(frozen=True)
class Measuring:
    """How the paper's measures are taken."""

    samples: int = setting(10_000, help="images for the Fréchet distance")
    paths: int = setting(10_000, help="pairs of images for the path lengths")
    features: str | None = setting(
        None, help="a .keras file of the features module; by default the bundled one"
    )


@dataclass(frozen=True)
class Evaluation(Measuring):
    """How those of one model are taken."""

    before_norm: bool | None = setting(
        None,
        help="take Hessians and activeness before the codes are normalised; by default if there "
        "are fewer than 12 components",
    )
    preset: str | None = setting(None, help="that of the images; by default the one of their size")
    seed: int = setting(0, help="of the codes")


@dataclass(frozen=True)
class Comparison(Measuring):
    """How those of several trainings are taken."""

    seed_of_codes: int = setting(0, help="of the codes at which they are taken")


@dataclass(frozen=True)
class Traversal:
    """Samples, what each component does, the most active first, and pixels' Hessians."""

    steps: int = setting(9, help="values of a component, from -2 to 2")
    seed: int = setting(0, help="of the codes")


WEIGHTS = ("hessian_weight", "jacobian_weight")


class ProgressiveGANApplication(Application):
    name, title, factory = NAME, "ProgressiveGAN", staticmethod(ProgressiveGAN)
    model_class = kd.models.ProgressiveGAN
    variants = (NAME,)
    recipe_class, recipes, default_recipe = Recipe, RECIPES, "scratch"
    weights, default_data = "clevr_1fov_finetuned", "clevr_1fov"
    columns = {
        "perceptual_path_length": Column("PPL", 4),
        "pixel_path_length": Column("PPL, pixels", 2),
        "frechet_distance": Column("FD", 3),
        "max_on_diagonal": Column("D%", 3),
        "diagonal_ratio": Column("D_R", 2),
        "pooled_ratio": Column("D_R, pooled", 2),
    }
    # Distances fall by orders of magnitude.
    curve_scales = {
        "generator_loss": "linear",
        "discriminator_loss": "linear",
        "hessian_penalty": "linear",
        "jacobian_penalty": "log",
        "frechet_distance": "log",
    }
    evaluation, traversal, comparison = Evaluation, Traversal, Comparison
    reserved = ("perfect",)

    def image_shape(self, recipe):
        size = PRESETS[recipe.preset].resolution
        return size, size, 3

    def with_data(self, recipe, data, image_size, data_dir, is_chosen):
        """The authors' data bring their settings along; others change nothing else."""
        is_theirs = data in EXPERIMENTS
        other = None if is_theirs else data
        recipe = super().with_data(recipe, other, image_size, data_dir, is_chosen)
        return recipe_for(recipe, data) if is_theirs else recipe

    def check(self, recipe, variant):
        check_choice("preset", recipe.preset, sorted(PRESETS))
        if recipe.continues != (recipe.start is not None):
            raise ValueError(
                "`start` must be bundled weights or the path of a .keras file for a recipe that "
                "continues a training run, and left out for others. "
                f"Received: start={recipe.start}"
            )
        for name in ("scores_every", "hessian_every", "jacobian_every"):
            check_int(name, getattr(recipe, name))
        for name in ("images_per_fade", "images_per_stage", "ramp_images"):
            check_int(name, getattr(recipe, name), minimum=0)
        weights = [check_weight(name, getattr(recipe, name)) for name in WEIGHTS]
        if recipe.generator_learning_rate is not None:
            check_number("generator_learning_rate", recipe.generator_learning_rate, above=0)
        per_epoch = check_int("images_per_epoch", recipe.images_per_epoch)
        size, stages = PRESETS[recipe.preset].batch_size, PRESETS[recipe.preset].num_stages
        if recipe.images < per_epoch or recipe.images % per_epoch or per_epoch % size:
            raise ValueError(
                f"`images` must be a multiple of {per_epoch}, an epoch, and that of {size}, a "
                f"batch of the preset {recipe.preset!r}. Received: images={recipe.images}"
            )
        fade, stage = recipe.images_per_fade, recipe.images_per_stage
        if fade and not stage:
            raise ValueError(
                "`images_per_fade` must be 0 where nothing grows (`images_per_stage` is 0). "
                f"Received: images_per_fade={fade}"
            )
        needed = stages * (stage + fade) - fade
        if recipe.images < needed:
            raise ValueError(
                f"`images` must be at least {needed}, for all {stages} stages. "
                f"Received: images={recipe.images}"
            )
        if recipe.ramp_images and not any(weights):
            raise ValueError(
                "`ramp_images` must be 0 where there is neither `hessian_weight` nor "
                f"`jacobian_weight`. Received: ramp_images={recipe.ramp_images}"
            )
        return replace(recipe, start=None if recipe.start is None else str(recipe.start))

    def data(self, recipe, data_dir):
        return load_images(recipe.data, PRESETS[recipe.preset], data_dir)

    def prepare(self, run):
        start = run.recipe.start
        if start is not None and run.log_dir.resolve() in Path(start).resolve().parents:
            raise ValueError(
                "`log_dir` must be another folder than that of `start`, which would be written "
                f"over. Received: log_dir={run.log_dir}, start={start}"
            )
        run.results["batch_size"] = PRESETS[run.recipe.preset].batch_size

    def build(self, recipe, variant, seed=0):
        """The model of a recipe, with the networks of a trained one if it continues."""
        keras.utils.set_random_seed(seed)
        trained = None if recipe.start is None else self._start(recipe)
        hessian = {} if recipe.hessian_every == 1 else {"every": recipe.hessian_every}
        jacobian = kd.penalties.OrthogonalJacobian(weight=0.0, every=recipe.jacobian_every)
        model = ProgressiveGAN(
            preset=recipe.preset,
            latent_dim=recipe.latent_dim if trained is None else trained.latent_dim,
            informative=recipe.informative,
            hessian_penalty=hessian if recipe.hessian_weight else None,
            penalties=[jacobian] if recipe.jacobian_weight else [],
            seed=seed,
        )
        if trained is not None:
            copy_networks(trained, model)
        return model

    def _start(self, recipe):
        try:
            trained = self.load(recipe.start)
        except ValueError as error:
            raise ValueError(
                f"`start` must be a trained model. Received: start={recipe.start} ({error})"
            ) from error
        if recipe.latent_dim not in (None, trained.latent_dim):
            raise ValueError(
                f"`start` must be a model with {recipe.latent_dim} latent components, as "
                f"`latent_dim` says. Received: {recipe.start}, with {trained.latent_dim}"
            )
        if trained.stage != trained.num_stages - 1:
            raise ValueError(
                f"`start` must be a model in its last stage. Received: {recipe.start}, in the "
                f"stage {trained.stage} of 0 to {trained.num_stages - 1}"
            )
        return trained

    def steps(self, run):
        return run.recipe.images // run.results["batch_size"]

    def fit(self, model, run):
        recipe, preset = run.recipe, PRESETS[run.recipe.preset]
        size, per_epoch = preset.batch_size, recipe.images_per_epoch
        model.compile(**preset.optimizers(recipe.generator_learning_rate))
        callbacks = []
        if recipe.images_per_stage:
            growth = recipe.images_per_fade, recipe.images_per_stage
            callbacks.append(kd.callbacks.ProgressiveGrowth(*growth))
        for name in WEIGHTS:
            if weight := getattr(recipe, name):
                steps = -(-recipe.ramp_images // size)
                callbacks.append(kd.callbacks.RampWeight(name, weight, steps))
        if is_clevr(recipe.data):
            callbacks.append(EpochScores(recipe.scores_every, _distance(run.data)))
        batches = kd.datasets.image_batches(
            run.data, size, run.seed, steps_per_epoch=per_epoch // size
        )
        run.fit(model, batches, epochs=recipe.images // per_epoch, callbacks=callbacks)
        return model

    def load(self, weights):
        model = super().load(weights)
        if getattr(model.ema_generator, "activations", None) is None:
            raise ValueError(
                "`weights` must be those of a model of ProgressiveGAN, with a running mean of a "
                f"`ProgressiveGenerator`. Received: {model.ema_generator}"
            )
        return model

    def evaluation_data(self, model, name, data_dir, settings):
        size = model.image_shape[0]
        known = [key for key, preset in PRESETS.items() if preset.resolution == size]
        preset = known[0] if known and settings.preset is None else settings.preset
        if preset not in known:
            raise ValueError(
                f"`preset` must be that of the model, whose images have {size} pixels a side. "
                f"Received: preset={preset!r}"
            )
        return load_images(name, PRESETS[preset], data_dir)

    def scores(self, model, data, settings, recipe=None):
        return measures.scores(model, data, settings)

    def text(self, rows):
        """A table of scores, and one of how active the components are."""
        shares = {}
        for label, found in rows.items():
            if "activeness" in found:
                values = np.array(found["activeness"])
                share = (values / values.sum()).tolist()
                shares[label] = {"share": share, "sum": values.sum()}
        columns = {"share": Column("share of each, %", 1, 100), "sum": Column("sum", 5)}
        heading = "activeness of the components, the most active first"
        return f"{super().text(rows)}\n\n{heading}\n{table(shares, columns)}"

    def pictures(self, model, data, settings, recipe=None):
        return pictures.of_components(model, settings.steps, settings.seed)

    def steps_per_epoch(self, results):
        return results["settings"]["images_per_epoch"] // results["batch_size"]

    def curve(self, results, name):
        """The Fréchet distance stands where it was measured."""
        steps, values = super().curve(results, name)
        if name == "frechet_distance":
            every = results["settings"]["scores_every"] * self.steps_per_epoch(results)
            steps = every * np.arange(1, len(values) + 1)
        return steps, values

    def check_results(self, results):
        self.curve(results, "generator_loss")
        PRESETS[results["settings"]["preset"]]

    def compare(self, runs, settings, data_dir):
        """The paper's Tables 1 and 2, Figures 5 and 8. On CLEVR-1FOV, "perfect" has the least path
        length that all of the data allow."""
        models, seed = {run.name: run.load(self) for run in runs}, settings.seed_of_codes
        measured = Evaluation(settings.samples, settings.paths, settings.features, seed=seed)
        scores, results = {}, {run.name: run.results for run in runs}
        for run in progress(runs, "runs"):
            data = self.data(run.recipe, data_dir)
            scores[run.name] = self.scores(models[run.name], data, measured, run.recipe)
        drawn = {**self.curves(results), **pictures.of_several(models, scores, seed)}
        scores.update(means({k: {**results[k], "scores": found} for k, found in scores.items()}))
        first = next((run for run in runs if run.recipe.data == "clevr_1fov"), None)
        if first is not None:
            scores["perfect"] = measures.path_lengths(
                measures.perfect_generator(PRESETS[first.recipe.preset]),
                models[first.name].latent_dim,
                features.load(settings.features)[1],
                settings.paths,
                seed,
            )
        return scores, self.text(scores), drawn

    def release(self, model, recipe):
        settings = {
            "preset": recipe.preset,
            "latent_dim": model.latent_dim,
            "informative": sum(code.dim for code in model.space.informative),
        }
        # Without the optimizers and the ramps.
        saved = ProgressiveGAN(**settings)
        copy_networks(model, saved)
        saved.step.assign(read(model.step))
        if model.hessian_penalty is not None:
            settings["hessian_penalty"] = model.hessian_penalty
            settings["hessian_weight"] = float(model.ramps["hessian_weight"](model.step))
        if penalties := model.get_config()["penalties"]:
            for penalty in penalties:
                ramp = model.ramps[f"{penalty['config']['name']}_weight"]
                penalty["config"]["weight"] = float(ramp(model.step))
            settings["penalties"] = penalties
        return settings, saved


def _distance(images, num_images=2000):
    """A function from a model to the Fréchet distance of its images to some of these."""
    found, _ = features.load()
    real = found(images[np.random.default_rng(0).permutation(len(images))[:num_images]])

    def distance(model):
        fake = found(measures.samples(model, num_images, seed=0))
        return {"frechet_distance": kd.metrics.frechet_distance(real, fake)}

    return distance


APPLICATION = ProgressiveGANApplication()
