"""Discriminative regularisation, as an application."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras

import keras_disentangle as kd
from keras_disentangle._arguments import check_choice, check_int, check_number, check_weight
from keras_disentangle._progress import progress
from keras_disentangle.applications._shared.application import Application
from keras_disentangle.applications._shared.data import spread
from keras_disentangle.applications._shared.files import save_model
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications._shared.release import record_file
from keras_disentangle.applications._shared.tables import Column
from keras_disentangle.applications.discriminative_vae import features, measures
from keras_disentangle.applications.discriminative_vae.data import load_splits
from keras_disentangle.applications.discriminative_vae.discriminative_vae import (
    NAME,
    DiscriminativeVAE,
)
from keras_disentangle.applications.discriminative_vae.features import CLASSIFIERS
from keras_disentangle.applications.discriminative_vae.networks import FEATURES, NETWORKS
from keras_disentangle.applications.discriminative_vae.pictures import draw
from keras_disentangle.applications.discriminative_vae.recipes import RECIPES, Recipe
from keras_disentangle.layers import FeatureNetwork

STATISTICS = ("stored", "prior", "reconstructions")
OWN = "classifier.keras"  # in the folder of a training run that began with its own


@dataclass(frozen=True)
class Evaluation:
    """How much is measured, and by which classifier."""

    evaluator: str | None = setting(
        None, help="the classifier (.keras); by default that of the training run or the bundled one"
    )
    images: int = setting(5000, help="images of each part, for likelihoods")
    samples: int = setting(100, help="latents of each image, for likelihoods")
    statistics: str = setting(
        "stored",
        help="of the decoder's batch normalisations: stored, prior (those of samples), or "
        "reconstructions (of training images)",
    )
    seed: int = setting(0, help="of the latents")


@dataclass(frozen=True)
class Traversal:
    """What is drawn."""

    against: tuple[str, ...] = setting((), help="further models to draw: names, or .keras files")
    columns: int = setting(16, help="images in a row")
    seed: int = setting(0, help="of the samples, and of the choice of images")


@dataclass(frozen=True)
class Comparison:
    """How runs are compared."""

    rescore_with: str | None = setting(
        None, help="score the runs again, with this evaluator (.keras)"
    )


class DiscriminativeVAEApplication(Application):
    name, title, factory = NAME, "DiscriminativeVAE", staticmethod(DiscriminativeVAE)
    model_class = kd.models.VAE
    variants = (NAME, "vae", *CLASSIFIERS)
    recipe_class, recipes, default_recipe = Recipe, RECIPES, "fashion_mnist"
    weights = default_data = "fashion_mnist"
    draws_data = True
    columns = {
        "nll.train": Column("NLL per unit: train", 4),
        "nll.valid": Column("valid", 4),
        "nll.test": Column("test", 4),
        "nll_effective_samples.test": Column("effective samples", 1),
        "accuracy": Column("accuracy", 2, 100, "%"),
        "frechet_samples": Column("Fréchet: samples", 3),
        "frechet_reconstructions": Column("reconstructions", 3),
        "squared_error": Column("squared error", 5),
    }
    evaluation, traversal, comparison = Evaluation, Traversal, Comparison
    leaves = (OWN,)
    read = staticmethod(load_splits)

    def check(self, recipe, variant):
        check_number("learning_rate", recipe.learning_rate, above=0)
        check_weight("feature_weight", recipe.feature_weight)
        check_int("ramp_steps", recipe.ramp_steps, minimum=0)
        check_int("epochs", recipe.epochs)
        check_int("classifier_epochs", recipe.classifier_epochs)
        check_choice("pooling", recipe.pooling, ("max", "average"))
        check_choice("networks", recipe.networks, NETWORKS)
        if variant == NAME and recipe.architecture != "own" and recipe.classifier is None:
            raise ValueError(
                f"`classifier` must be a file of weights for {recipe.architecture}, or "
                '"imagenet", which Keras downloads. Received: classifier=None'
            )
        return recipe

    def prepare(self, run):
        recipe, (_, labels) = run.recipe, run.data["train"]
        if labels is None and (run.variant in CLASSIFIERS or _begins_with_own(run)):
            raise ValueError(
                f"`data` must have labels for a classifier. Received: data={recipe.data}"
            )
        if run.variant not in CLASSIFIERS:
            asked = recipe.evaluator, recipe.data, recipe.image_shape
            found = measures.load_evaluator(*asked, required=False)
            run.results["evaluator"] = None if found is None else measures.checksum(found)

    def build(self, recipe, variant, seed=0):
        """Of a discriminative VAE that begins with its own classifier, with an untrained one."""
        if variant in CLASSIFIERS:
            return None
        loss = None
        if variant == NAME:
            weights = [recipe.feature_weight] * len(recipe.layers)
            loss = kd.losses.FeatureMatchingLoss(
                features.regularizer(recipe),
                recipe.layers,
                layer_weights=weights,
                scale=recipe.scale,
            )
        # Both models start alike, whatever the classifier took.
        keras.utils.set_random_seed(seed)
        shape, latent_dim, networks = tuple(recipe.image_shape), recipe.latent_dim, recipe.networks
        common = {"beta": recipe.beta, "pixel_scale": recipe.pixel_scale, "seed": seed}
        if loss is not None:
            common |= {"feature_loss": loss, "encoder_gradient": recipe.encoder_gradient}
            return DiscriminativeVAE(
                image_shape=shape, latent_dim=latent_dim, networks=networks, **common
            )
        common |= {"observation": "gaussian", "min_log_std": -4.0, "name": "vae"}
        return kd.models.VAE(**NETWORKS[networks](shape, latent_dim), **common)

    def steps(self, run):
        if run.variant in CLASSIFIERS:
            size = features.settings_of(run.recipe, run.variant, run.seed)["batch_size"]
            return run.recipe.classifier_epochs * max(1, len(run.data["train"][0]) // size)
        return run.recipe.epochs * len(_batches(run))

    def fit(self, model, run):
        recipe, (images, _) = run.recipe, run.data["train"]
        if run.variant in CLASSIFIERS:
            options = {"verbose": run.verbose, "callbacks": [run.clock]}
            return features.train_own(recipe, run.variant, run.data, run.seed, **options)
        loss, callbacks = getattr(model, "feature_loss", None), []
        if loss is not None and recipe.ramp_steps:
            callbacks += [
                kd.callbacks.RampWeight(
                    f"feature_weight_{name}", recipe.feature_weight, recipe.ramp_steps, 0.0
                )
                for name in loss.layer_names
            ]
        batches = _batches(run)
        rate = recipe.learning_rate
        if recipe.decay:
            rate = keras.optimizers.schedules.CosineDecay(rate, recipe.epochs * len(batches))
        model.compile(keras.optimizers.Adam(rate))
        callbacks.append(
            kd.callbacks.LatentTraversal(
                run.log_dir,
                every=max(1, recipe.epochs // 4),
                images=spread(run.data["test"][0], 16),
            )
        )
        if _begins_with_own(run):
            run.begin()
            # Of a resumed run, as it was trained before.
            if not (path := run.log_dir / OWN).is_file():
                options = {"verbose": run.verbose}
                own = features.train_own(recipe, "classifier", run.data, run.seed, **options)
                save_model(own, path)
            trained = FeatureNetwork(features.load_frozen(path), recipe.layers)
            loss.feature_model.network.set_weights(trained.network.get_weights())
        if loss is not None and recipe.calibrate:
            loss.calibrate(images[:1000] / 255)
        run.fit(model, batches, epochs=recipe.epochs, callbacks=callbacks)
        model.reestimate_batch_normalization(seed=run.seed)
        return model

    def final_scores(self, model, run):
        if run.variant in CLASSIFIERS:
            return {"accuracy": model.history.history["val_accuracy"][-1]}
        if run.results["evaluator"] is None:
            return None
        return super().final_scores(model, run)

    def final_pictures(self, model, run):
        if run.variant in CLASSIFIERS:
            return {}
        return self.pictures(model, run.data, Traversal(seed=run.seed))

    def scores(self, model, data, settings, recipe=None):
        """Likelihoods by importance sampling, the evaluator's accuracy on reconstructions of test
        images, and Fréchet distances in its features."""
        check_choice("statistics", settings.statistics, STATISTICS)
        path = settings.evaluator
        if path is None and recipe is not None and recipe.data == data.name:
            path = recipe.evaluator
        evaluator = measures.load_evaluator(path, data.name, model.image_shape)
        if settings.statistics == "prior":
            model.reestimate_batch_normalization(seed=settings.seed)
        elif settings.statistics == "reconstructions":
            images, _ = data["train"]
            measures.use_statistics_of_reconstructions(model, images, seed=settings.seed)
        return measures.scores(model, data, evaluator, settings)

    def headline(self, scores):
        return {key: scores[key] for key in ("accuracy", "frechet_samples") if key in scores}

    def report(self, name, scores, intervals):
        text = self.text({name: scores})
        if "accuracy_images" in scores:
            known = 100 * scores["accuracy_images"]
            text += f"\n\nthe evaluator's accuracy on the images themselves  {known:.2f}%"
        return text

    def pictures(self, model, data, settings, recipe=None):
        """The paper's Figures 2 to 6, of one model or of several."""
        names = [
            Path(path).parent.name if path.endswith(".keras") else path for path in settings.against
        ]
        if len({model.name, *names}) <= len(names):
            raise ValueError(
                "`against` must be models in folders with different names, none of them "
                f"{model.name!r}. Received: against={settings.against}"
            )
        others = {name: self.load(path) for name, path in zip(names, settings.against, strict=True)}
        images, _ = data["test"]
        return draw({model.name: model, **others}, images, settings.columns, settings.seed)

    def check_results(self, results):
        results["history"]["reconstruction"]

    def check_comparable(self, recipe, data_dir):
        measures.load_evaluator(recipe.evaluator, recipe.data, recipe.image_shape)

    def compare(self, runs, settings, data_dir):
        """Scores of all runs, means over seeds, and the pictures of all models."""
        # By which file a classifier was named is no setting of the training.
        results = {
            run.name: {**run.results, "settings": asdict(_without_files(run.recipe))}
            for run in runs
        }
        check_alike(results)
        recipe, path = runs[0].recipe, settings.rescore_with
        splits = self.data(recipe, data_dir)
        models = {run.name: run.load(self) for run in runs}
        if path is not None:
            evaluator = measures.load_evaluator(path, recipe.data, recipe.image_shape)
            for name, model in progress(models.items(), "runs"):
                results[name]["scores"] = measures.scores(model, splits, evaluator, Evaluation())
        if lacking := [name for name, found in results.items() if "scores" not in found]:
            raise ValueError(
                "`rescore_with` must be given for runs that were trained without an evaluator. "
                f"Received: rescore_with=None, runs without scores {lacking}"
            )
        return *self.tabulated(results), draw(models, splits["test"][0])

    def release(self, model, recipe):
        if not isinstance(model, kd.models.DiscriminativeVAE):
            raise ValueError(f"`model` must be a DiscriminativeVAE. Received: {type(model)}")
        if recipe.architecture != "own" or model.feature_loss.layer_names != FEATURES:
            raise ValueError(
                f"`recipe` must have the paper's classifier and its layers {FEATURES}. Received: "
                f"architecture={recipe.architecture}, layers {model.feature_loss.layer_names}"
            )
        settings = {
            "image_shape": list(model.image_shape),
            "latent_dim": model.latent_dim,
            "networks": recipe.networks,
            "pixel_scale": model.pixel_scale,
            "beta": float(model.ramps["beta"](model.step)),
            "encoder_gradient": model.encoder_gradient,
            "feature_weights": {
                name: round(float(model.ramps[f"feature_weight_{name}"](model.step)), 6)
                for name in model.feature_loss.layer_names
            },
        }
        return settings, model

    def ship(self, name, path, recipe, data=None, data_dir=None, settings=None):
        """With the evaluator, which is bundled beside the weights."""
        data, settings = data or recipe.data, settings or Evaluation()
        given = settings.evaluator or recipe.evaluator
        evaluator = measures.load_evaluator(given, data, recipe.image_shape)
        settings = replace(settings, evaluator=given)
        # The files that someone named are not bundled.
        scores = super().ship(name, path, _without_files(recipe), data, data_dir, settings)
        if given is not None:
            beside = measures.bundled_evaluator(data)
            save_model(evaluator, beside)
            record_file(beside, self.title)
        return scores


def check_alike(results):
    """A ValueError unless training runs of each kind differ in their seeds alone, and all have the
    same data and evaluator."""
    kinds = {}
    for name, result in results.items():
        settings = result["settings"]
        common = {key: settings[key] for key in ("data", "image_shape")}
        common["evaluator"] = result.get("evaluator")
        for kind, found in ((result["model"], settings), ("all", common)):
            first, expected = kinds.setdefault(kind, (name, found))
            if differ := sorted(key for key in found if found[key] != expected.get(key)):
                raise ValueError(
                    "`runs` must be equal but for their seeds and the kind of model. "
                    f"Received: {first} and {name}, which differ in {differ}"
                )


def _without_files(recipe):
    return replace(recipe, classifier=None, evaluator=None)


def _batches(run):
    return kd.datasets.image_batches(run.data["train"][0], run.recipe.batch_size, run.seed)


def _begins_with_own(run):
    recipe = run.recipe
    return run.variant == NAME and recipe.architecture == "own" and recipe.classifier is None


APPLICATION = DiscriminativeVAEApplication()
