"""pro-VLAE, as an application."""

from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications._shared import evaluation
from keras_disentangle.applications._shared.application import Application
from keras_disentangle.applications._shared.data import factors_or_images, with_shape_of
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications._shared.release import without_optimizers
from keras_disentangle.applications._shared.tables import Column, table
from keras_disentangle.applications.provlae.networks import flat_networks
from keras_disentangle.applications.provlae.provlae import NAME, NETWORKS, ProVLAE
from keras_disentangle.applications.provlae.recipes import RECIPES, Recipe
from keras_disentangle.models.variational_model import VariationalModel
from keras_disentangle.visualization import (
    enlarge,
    latent_traversal,
    rung_samples,
    score_points,
    traversal_frames,
)

SCORES = {"mig": "MIG", "mig_sup": "MIG-sup", "factor_vae": "FactorVAE"}


@dataclass(frozen=True)
class Evaluation(evaluation.FactorEvaluation):
    """What is measured, and on how much."""

    samples: int = setting(20_000, help="images that are encoded")


@dataclass(frozen=True)
class Traversal:
    """Around which image latents are traversed, and how far."""

    image: int = setting(0, help="index of the image to start from")
    span: float = setting(2.5, help="furthest value, in standard deviations")


class ProVLAEApplication(Application):
    name, title, factory, model_class = NAME, "ProVLAE", staticmethod(ProVLAE), VariationalModel
    variants = ("provlae", "vlae", "beta_vae", "teacher_student")
    recipe_class, recipes, default_recipe = Recipe, RECIPES, "demo"
    draws_data, default_data = True, "dsprites"
    columns = {
        **{name: Column(title, 3) for name, title in SCORES.items()},
        "information_total": Column("I(x; z)", 2, unit=" nats"),
        "information": Column("I(x; z_l), the top rung first", 2, unit=" nats"),
    }
    evaluation, traversal = Evaluation, Traversal
    leaves = ("teacher",)

    def with_data(self, recipe, data, image_size, data_dir, is_chosen):
        """The images have the shape of these data, or another size."""
        return with_shape_of(recipe, data, image_size, data_dir)

    def check(self, recipe, variant):
        steps = recipe.steps_per_stage // recipe.epochs_per_stage
        if steps < 1:
            raise ValueError(
                f"`steps_per_stage` must be at least {recipe.epochs_per_stage}, one step an epoch. "
                f"Received: steps_per_stage={recipe.steps_per_stage}"
            )
        return replace(recipe, steps_per_stage=steps * recipe.epochs_per_stage)

    def data(self, recipe, data_dir):
        return factors_or_images(recipe.data, tuple(recipe.image_shape), data_dir)

    def evaluation_data(self, model, name, data_dir, settings):
        return factors_or_images(name, tuple(model.image_shape), data_dir)

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

    def summary(self, results):
        last = {name: values[-1] for name, values in results["history"].items()}
        scores = results.get("scores")
        lines = [
            f"{results['model']}: {results['steps']} steps, {results['backend']}, "
            f"seed {results['seed']}",
            f"{results['seconds']:.0f} s for {results['timed_steps']} training steps",
            f"reconstruction  {last['reconstruction']:7.2f} nats an image",
        ]
        levels = sorted((x for x in last if x == "kl" or x.startswith("kl_")), reverse=True)
        information = scores["information"] if scores else [None] * len(levels)
        for name, value in zip(levels, information, strict=True):
            label = name.replace("kl_", "rung ").replace("kl", "code")
            known = "" if value is None else f"   I(x; z) {value:z5.2f} nats"
            lines.append(f"{label:14}  KL {last[name]:6.2f} nats{known}")
        if scores:
            lines.append(f"total           I(x; z) {scores['information_total']:5.2f} nats")
            lines += [f"{label:15} {scores[name]:7.3f}" for name, label in SCORES.items()]
        return "\n".join(lines)

    def scores(self, model, data, settings, recipe=None):
        """Those of `kd.evaluate`; on images without factors, how much the codes know."""
        if hasattr(data, "factors"):
            return evaluation.evaluate(model, data, settings)
        if settings.metrics not in (None, ("information",)) or settings.resamples:
            raise ValueError(
                "`data` must have factors for metrics other than the information. "
                f"Received: images alone, metrics={settings.metrics}"
            )
        size = min(settings.samples, len(data))
        index = np.random.default_rng(settings.seed).choice(len(data), size, replace=False)
        mean, log_var = kd.encode_images(model, lambda i: data[index[i]], size, verbose=1)
        information = kd.metrics.latent_information(
            mean, log_var, rungs=model.rung_sizes, seed=settings.seed
        )
        return {"information": information["rungs"], "information_total": information["total"]}

    def report(self, name, scores, intervals):
        return evaluation.text(scores, intervals)

    def evaluation_pictures(self, model, data, scores, name, settings):
        if not hasattr(data, "factors"):
            return {}
        return evaluation.pictures(model, data, scores, name, settings)

    def pictures(self, model, data, settings, recipe=None):
        """Traversals around one image, and samples of each rung with all others as they are."""
        if not 0 <= settings.image < len(data):
            raise ValueError(
                f"`image` must lie in 0..{len(data) - 1}. Received: image={settings.image}"
            )
        index = np.array([settings.image])
        image = data.images(index) if hasattr(data, "factors") else data[index]
        mean, _ = model.encode(np.divide(image, 255, dtype="float32"))
        latent, rungs = ops.convert_to_numpy(mean)[0], model.rung_sizes

        def decode(z):
            return enlarge(ops.convert_to_numpy(model.decode(z.astype("float32"))).clip(0, 1))

        options = {"span": settings.span, "rungs": rungs}
        return {
            "traversal.png": latent_traversal(decode, latent, **options),
            "rung_samples.png": rung_samples(decode, latent, rungs),
            "traversal.gif": traversal_frames(decode, latent, **options),
        }

    def check_results(self, results):
        results["history"]["reconstruction"]

    def check_comparable(self, recipe, data_dir):
        if not hasattr(self.data(recipe, data_dir), "factors"):
            raise ValueError(f"`data` must have factors. Received: {recipe.data}")

    def compare(self, runs, settings, data_dir):
        """Means over seeds of each model and beta, and the paper's Figures 2 and 3."""
        kinds = {}
        for run in runs:
            kinds.setdefault((run.results["model"], run.recipe.beta), []).append(run.results)
        content = [
            {"model": model, "beta": beta, **_averages(results)}
            for (model, beta), results in kinds.items()
        ]
        columns = {
            "beta": Column("beta"),
            "seeds": Column("seeds"),
            **{name: Column(title, 3) for name, title in SCORES.items()},
            "reconstruction": Column("reconstruction", 3, unit=" nats"),
            "information_total": Column("I(x; z)", 3, unit=" nats"),
            "information": self.columns["information"],
        }
        rows = {
            f"{found['model']}, beta {found['beta']:g}": {
                "beta": f"{found['beta']:g}",
                "seeds": len(found["seeds"]),
                **found["means"],
                **({"information": found["information"]} if "information" in found else {}),
            }
            for found in content
        }
        return content, table(rows, columns), _figures(content)

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
        shown = data[:60_000]
    model.compile(keras.optimizers.Adam(recipe.learning_rate))
    callbacks = list(callbacks)
    if recipe.beta_start is not None:
        callbacks.append(
            kd.callbacks.RampWeight("beta", recipe.beta, recipe.beta_steps, recipe.beta_start)
        )
    # The pictures and scores of a stage are taken at its end.
    every = recipe.epochs_per_stage
    flow = kd.callbacks.InformationFlow(log_dir, shown)
    callbacks += [flow, kd.callbacks.LatentTraversal(log_dir, every=every, images=shown[:16])]
    if has_factors:
        callbacks.append(
            kd.callbacks.FactorMetrics(data, every=every, max_share=None, num_votes=500)
        )
    options = {"callbacks": callbacks, "log_dir": log_dir, "backup": backup}
    run.fit(model, batches, epochs=stages * every, **options)
    return flow.stages


def _flat(recipe, latent_dim):
    return flat_networks(recipe.image_shape, latent_dim, num_levels=len(recipe.rung_sizes))


def _averages(results):
    """Means over seeds, each seed's values, and what was trained."""
    # Of images without factors there are no scores.
    scores = [run.get("scores", {}) for run in results]
    known = [name for name in (*SCORES, "information_total") if all(name in x for x in scores)]
    values = {name: [found[name] for found in scores] for name in known}
    values["reconstruction"] = [run["history"]["reconstruction"][-1] for run in results]
    averages = {
        "means": {name: float(np.mean(found)) for name, found in values.items()},
        "values": values,
        "seeds": [run["seed"] for run in results],
        "steps": results[0]["steps"],
    }
    if known:
        averages["information"] = np.mean([x["information"] for x in scores], axis=0).tolist()
    return averages


def _figures(content):
    pairs = {
        f"reconstruction_and_{name}": ("reconstruction", name, "reconstruction error [nats]", label)
        for name, label in SCORES.items()
    }
    pairs["mig_and_mig_sup"] = ("mig", "mig_sup", "MIG", "MIG-sup")
    pictures = {}
    for name, (x, y, x_label, y_label) in pairs.items():
        points = {}
        for found in content:
            numbers = found["means"]
            if not {x, y} <= set(numbers):
                continue
            points.setdefault(found["model"], {})[f"{found['beta']:g}"] = (numbers[x], numbers[y])
        if points:
            pictures[f"{name}.png"] = score_points(points, x_label=x_label, y_label=y_label)
    return pictures


APPLICATION = ProVLAEApplication()
