"""pro-VLAE, as an application."""

from dataclasses import dataclass, replace

import keras
import numpy as np

import keras_disentangle as kd
from keras_disentangle._arguments import check_int, check_number, check_weight
from keras_disentangle.applications._shared.calls import as_pictures
from keras_disentangle.applications._shared.data import spread
from keras_disentangle.applications._shared.factors import (
    FactorApplication,
    FactorEvaluation,
    code_of,
)
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications._shared.release import without_optimizers
from keras_disentangle.applications._shared.tables import Column
from keras_disentangle.applications.provlae.networks import flat_networks
from keras_disentangle.applications.provlae.provlae import NAME, NETWORKS, ProVLAE
from keras_disentangle.applications.provlae.recipes import RECIPES, Recipe
from keras_disentangle.visualization import rung_samples, score_points

SCORES = {"mig": "MIG", "mig_sup": "MIG-sup", "factor_vae": "FactorVAE"}


@dataclass(frozen=True)
class Evaluation(FactorEvaluation):
    """What is measured, and on how much."""

    samples: int = setting(20_000, help="images that are encoded")


class ProVLAEApplication(FactorApplication):
    name, title, factory = NAME, "ProVLAE", staticmethod(ProVLAE)
    variants = ("provlae", "vlae", "beta_vae", "teacher_student")
    recipe_class, recipes, default_recipe = Recipe, RECIPES, "demo"
    default_data = "dsprites"
    columns = {
        **{name: Column(title, 3) for name, title in SCORES.items()},
        "reconstruction": Column("reconstruction", 2, unit=" nats"),
        "information_total": Column("I(x; z)", 2, unit=" nats"),
        "information": Column("I(x; z_l), the top rung first", 2, unit=" nats"),
    }
    evaluation = Evaluation
    leaves = ("teacher",)

    def check(self, recipe, variant):
        check_number("learning_rate", recipe.learning_rate, above=0)
        check_int("epochs_per_stage", recipe.epochs_per_stage)
        check_int("beta_steps", recipe.beta_steps, minimum=0)
        if recipe.beta_start is not None:
            check_weight("beta_start", recipe.beta_start)
        if variant in ("provlae", "teacher_student") and len(recipe.rung_sizes) < 2:
            raise ValueError(
                f"`rung_sizes` must be at least two for {variant}, whose training has a stage for "
                f"each rung. Received: rung_sizes={recipe.rung_sizes}"
            )
        steps = recipe.steps_per_stage // recipe.epochs_per_stage
        if steps < 1:
            raise ValueError(
                f"`steps_per_stage` must be at least {recipe.epochs_per_stage}, one step an epoch. "
                f"Received: steps_per_stage={recipe.steps_per_stage}"
            )
        steps *= recipe.epochs_per_stage
        if variant == "provlae" and check_int("fade_steps", recipe.fade_steps, minimum=0) > steps:
            raise ValueError(
                f"`fade_steps` must be at most `steps_per_stage`, {steps}. "
                f"Received: fade_steps={recipe.fade_steps}"
            )
        return replace(recipe, steps_per_stage=steps)

    def build(self, recipe, variant, seed=0):
        """Of a teacher and a student, the teacher, which has the latents of the top rung."""
        keras.utils.set_random_seed(seed)
        ladder = {"image_shape": recipe.image_shape, "rung_sizes": recipe.rung_sizes}
        if variant == "provlae":
            settings = {"beta": recipe.beta, "gamma": recipe.gamma, "networks": recipe.networks}
            return ProVLAE(**ladder, **settings, seed=seed)
        if variant == "vlae":
            networks = NETWORKS[recipe.networks](**ladder)
            return kd.models.LadderVAE(**networks, beta=recipe.beta, seed=seed, name="vlae")
        if variant == "beta_vae":
            networks = _flat(recipe, sum(recipe.rung_sizes))
            return kd.models.VAE(**networks, beta=recipe.beta, seed=seed, name="beta_vae")
        return kd.models.VAE(**_flat(recipe, recipe.rung_sizes[0]), beta=recipe.beta, seed=seed)

    def steps(self, run):
        return len(run.recipe.rung_sizes) * run.recipe.steps_per_stage

    def fit(self, model, run):
        recipe, stages = run.recipe, len(run.recipe.rung_sizes)
        callbacks = []
        if run.variant == "teacher_student":
            # One stage for the teacher, the others for the student. Its backup is within that of
            # the student, so that the one is not taken without the other.
            options = {"log_dir": run.log_dir / "teacher", "backup": "backup/teacher"}
            _fit(model, run, 1, run.seed, **options)
            student = kd.models.TeacherStudentVAE(
                model, **_flat(recipe, sum(recipe.rung_sizes)), beta=recipe.beta, seed=run.seed
            )
            student.start_from_teacher()
            run.results["stages"] = _fit(student, run, stages - 1, run.seed + 1)
            return student
        if run.variant == "provlae":
            fade_in = {"steps_per_stage": recipe.steps_per_stage, "fade_steps": recipe.fade_steps}
            callbacks.append(kd.callbacks.ProgressiveFadeIn(**fade_in))
        run.results["stages"] = _fit(model, run, stages, run.seed, callbacks)
        return model

    def final_scores(self, model, run):
        return super().final_scores(model, run) if hasattr(run.data, "factors") else None

    def final_pictures(self, model, run):
        return {}  # They were drawn while training, after each stage.

    def scores(self, model, data, settings, recipe=None):
        """Those of `kd.evaluate`; on images without factors, how much the codes know."""
        if hasattr(data, "factors"):
            return super().scores(model, data, settings)
        if settings.metrics not in (None, ("information",)) or settings.resamples:
            raise ValueError(
                "`data` must have factors for metrics other than the information. "
                f"Received: images alone, metrics={settings.metrics}"
            )
        size = min(settings.samples, len(data))
        index = np.random.default_rng(settings.seed).choice(len(data), size, replace=False)
        mean, log_var = kd.encode_images(model, lambda i: data[index[i]], size)
        information = kd.metrics.latent_information(
            mean, log_var, rungs=model.rung_sizes, seed=settings.seed
        )
        return {"information": information["rungs"], "information_total": information["total"]}

    def pictures(self, model, data, settings, recipe=None):
        """Traversals around one image, and samples of each rung with all others as they are."""
        decode, code = as_pictures(model.decode), code_of(model, data, settings.image)
        samples = rung_samples(decode, code, model.rung_sizes)
        return {**super().pictures(model, data, settings), "rung_samples.png": samples}

    def check_results(self, results):
        results["history"]["reconstruction"]

    def check_comparable(self, recipe, data_dir):
        if not hasattr(self.data(recipe, data_dir), "factors"):
            raise ValueError(f"`data` must have factors. Received: {recipe.data}")

    def row(self, results):
        reconstruction = results["history"]["reconstruction"][-1]
        return {**results.get("scores", {}), "reconstruction": reconstruction}

    def curves(self, results):
        """The paper's Figures 2 and 3: means over seeds of each model and beta."""
        kinds, pictures = {}, {}
        for found in results.values():
            kind = found["model"], f"{found['settings']['beta']:g}"
            kinds.setdefault(kind, []).append(self.row(found))
        titles = {**SCORES, "reconstruction": "reconstruction error [nats]"}
        for x, y in (*(("reconstruction", name) for name in SCORES), ("mig", "mig_sup")):
            points = {}
            for (model, beta), rows in kinds.items():
                if all({x, y} <= set(row) for row in rows):
                    place = tuple(np.mean([row[name] for row in rows]) for name in (x, y))
                    points.setdefault(model, {})[beta] = place
            if points:
                labels = {"x_label": titles[x], "y_label": titles[y]}
                pictures[f"{x}_and_{y}.png"] = score_points(points, **labels)
        return pictures

    def release(self, model, recipe):
        if not isinstance(model, kd.models.ProgressiveLadderVAE):
            raise ValueError(f"`model` must be a ProgressiveLadderVAE. Received: {type(model)}")
        settings = {
            "image_shape": list(model.image_shape),
            "rung_sizes": list(model.rung_sizes),
            "beta": float(model.ramps["beta"](model.step)),
            "gamma": model.gamma,
            "networks": recipe.networks,
        }
        return settings, without_optimizers(model, ProVLAE(**settings))


def _fit(model, run, stages, seed, callbacks=(), log_dir=None, backup="backup"):
    """Trains for `stages` stages; returns the information of the rungs after each."""
    recipe, data, log_dir = run.recipe, run.data, log_dir or run.log_dir
    steps = recipe.steps_per_stage // recipe.epochs_per_stage
    has_factors = hasattr(data, "factors")
    if has_factors:
        batches = data.batches(recipe.batch_size, seed=seed, steps_per_epoch=steps)
        shown = data.images(data.sample_index(10_000, seed))
    else:
        batches = kd.datasets.image_batches(data, recipe.batch_size, seed, steps_per_epoch=steps)
        shown = spread(data, 60_000)
    model.compile(keras.optimizers.Adam(recipe.learning_rate))
    callbacks = list(callbacks)
    if recipe.beta_start is not None:
        callbacks.append(
            kd.callbacks.RampWeight("beta", recipe.beta, recipe.beta_steps, recipe.beta_start)
        )
    # The pictures and scores of a stage are taken at its end.
    every = recipe.epochs_per_stage
    flow = kd.callbacks.InformationFlow(log_dir, shown)
    callbacks += [
        flow,
        kd.callbacks.LatentTraversal(log_dir, every=every, images=spread(shown, 16)),
    ]
    if has_factors:
        callbacks.append(
            kd.callbacks.FactorMetrics(data, every=every, max_share=None, num_votes=500)
        )
    options = {"callbacks": callbacks, "log_dir": log_dir, "backup": backup}
    run.fit(model, batches, epochs=stages * every, **options)
    return flow.stages


def _flat(recipe, latent_dim):
    return flat_networks(recipe.image_shape, latent_dim, num_levels=len(recipe.rung_sizes))


APPLICATION = ProVLAEApplication()
