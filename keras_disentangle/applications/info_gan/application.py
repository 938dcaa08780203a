"""InfoGAN, as an application."""

from dataclasses import asdict, dataclass
from functools import partial

import keras

import keras_disentangle as kd
from keras_disentangle._arguments import check_choice, check_int, check_number, check_weight
from keras_disentangle.applications._shared.application import Application
from keras_disentangle.applications._shared.calls import as_pictures
from keras_disentangle.applications._shared.data import images_alone, load_images
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications._shared.release import without_optimizers
from keras_disentangle.applications._shared.tables import Column, table
from keras_disentangle.applications._shared.training import EpochScores
from keras_disentangle.applications.info_gan import measures
from keras_disentangle.applications.info_gan.info_gan import NAME, InfoGAN
from keras_disentangle.applications.info_gan.recipes import PRESETS, RECIPES, Recipe
from keras_disentangle.latents import Categorical
from keras_disentangle.visualization import code_traversal, training_curves


@dataclass(frozen=True)
class Evaluation:
    """How much is measured on."""

    samples: int = setting(10_000, help="images that are generated")
    split: str = setting("test", help="which part of the data")
    seed: int = setting(0, help="of the generated images")


@dataclass(frozen=True)
class Traversal:
    """What is drawn: a picture for each code, whose rows are random draws of everything else."""

    rows: int = setting(5, help="random draws of everything else")
    steps: int = setting(10, help="values of a continuous code")
    extent: float = setting(2.0, help="continuous codes go so far beyond their range")
    seed: int = setting(0, help="of the draws")


@dataclass(frozen=True)
class Comparison:
    """What is compared."""

    within: int = setting(2000, help="steps within which L_I is looked at")


class InfoGANApplication(Application):
    name, title, factory, model_class = NAME, "InfoGAN", staticmethod(InfoGAN), kd.models.InfoGAN
    variants = ("info_gan", "detached")
    recipe_class, recipes, default_recipe = Recipe, RECIPES, "mnist"
    weights = "mnist"
    needs_data = False
    columns = {
        "error": Column("error", 2, 100, "%"),
        "real_information": Column("information of images and categories", 3, unit=" nats"),
        "information.categorical": Column("L_I, categorical", 3, unit=" nats"),
        "information.continuous": Column("L_I, continuous", 3, unit=" nats"),
    }
    evaluation, traversal, comparison = Evaluation, Traversal, Comparison
    mantissa_bits = 6  # 13 million weights: so rounded, they take less than 20 MB.

    def image_shape(self, recipe):
        return PRESETS[recipe.preset].image_shape

    def check(self, recipe, variant):
        check_choice("preset", recipe.preset, sorted(PRESETS))
        for name in ("steps_per_epoch", "classes_every"):
            check_int(name, getattr(recipe, name))
        check_int("ramp_steps", recipe.ramp_steps, minimum=0)
        check_number("augmentation", recipe.augmentation, minimum=0, below=10)
        if recipe.augmentation and not PRESETS[recipe.preset].categories:
            raise ValueError(
                "`augmentation` must be 0 for a preset without categories, which are read through "
                f"it. Received: augmentation={recipe.augmentation}, preset={recipe.preset!r}"
            )
        for name in ("first_weight", "last_weight"):
            if getattr(recipe, name) is not None:
                check_weight(name, getattr(recipe, name))
        if recipe.steps % recipe.steps_per_epoch or recipe.steps < 1:
            raise ValueError(
                f"`steps` must be a positive multiple of {recipe.steps_per_epoch}, an epoch. "
                f"Received: steps={recipe.steps}"
            )
        if recipe.data is None:
            raise ValueError(
                "`data` must name the images of this recipe: a folder, zip or .npz of them. "
                "Received: None"
            )
        return recipe

    def data(self, recipe, data_dir):
        """The training images, and test images with labels, if there are any."""
        shape = self.image_shape(recipe)
        images = images_alone(recipe.data, shape, data_dir)
        try:
            test = load_images(recipe.data, split="test", data_dir=data_dir, image_shape=shape)
        except ValueError as error:
            if not str(error).startswith("`split` must be"):
                raise
            test = None  # Data without a test split, such as a folder of images.
        return {"train": images, "test": None if test is None or test[1] is None else test}

    def build(self, recipe, variant, seed=0):
        keras.utils.set_random_seed(seed)
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(recipe.precision)
        try:
            layer = recipe.q_augmentation() if variant == "info_gan" else None
            return InfoGAN(
                preset=recipe.preset,
                feedback=variant == "info_gan",
                q_augmentation=layer,
                seed=seed,
            )
        finally:
            keras.config.set_dtype_policy(before)

    def fit(self, model, run):
        recipe, preset = run.recipe, PRESETS[run.recipe.preset]
        model.compile(**preset.optimizers())
        epochs = recipe.steps // recipe.steps_per_epoch
        batches = kd.datasets.image_batches(
            run.data["train"], preset.batch_size, run.seed, steps_per_epoch=recipe.steps_per_epoch
        )
        callbacks = []
        if recipe.last_weight is not None:
            weights = (recipe.last_weight, recipe.ramp_steps, recipe.first_weight)
            callbacks += [
                kd.callbacks.RampWeight(f"information_weight_{code.name}", *weights)
                for code in measures.categorical_codes(model)
            ]
        if run.data["test"] is not None and measures.categorical_codes(model):
            scores = partial(_as_classes, images=run.data["test"][0], labels=run.data["test"][1])
            callbacks.append(EpochScores(recipe.classes_every, scores))
        callbacks.append(kd.callbacks.LatentTraversal(run.log_dir, every=max(1, epochs // 8)))
        run.fit(model, batches, epochs=epochs, callbacks=callbacks)
        return model

    def evaluation_data(self, model, name, data_dir, settings):
        images, labels = load_images(
            name, split=settings.split, data_dir=data_dir, image_shape=model.image_shape
        )
        if labels is None:
            raise ValueError(f"`data` must have classes. Received: data={name}")
        return {"test": (images, labels)}

    def scores(self, model, data, settings, recipe=None):
        """The information bound L_I of each code and its entropy in nats; on labelled images the
        `error` of the first categorical code as a classifier, with categories matched to labels one
        to one, and `real_information` of image and category."""
        found = {
            "information": measures.information(model, settings.samples, settings.seed),
            "entropy": model.space.entropy(),
        }
        if data is not None and data["test"] is not None and measures.categorical_codes(model):
            found.update(measures.classification(model, *data["test"]))
        return found

    def report(self, name, scores, intervals):
        rows = {
            code: {"bound": value, "entropy": scores["entropy"][code]}
            for code, value in scores["information"].items()
        }
        columns = {"bound": Column("L_I", 4), "entropy": Column("H(c), nats", 4)}
        lines = [table(rows, columns, heading="code")]
        if "error" in scores:
            counts = {
                f"{category} is {scores['assignment'].get(category, '-')}": taken
                for category, taken in scores["counts"].items()
            }
            labels = {label: Column(label, 0) for label in next(iter(counts.values()))}
            lines += [
                "\nimages of each label that each category took",
                table(counts, labels, heading="category"),
                f"\n{scores['images']} images, error {100 * scores['error']:.2f}%, information of "
                f"image and category {scores['real_information']:.3f} nats",
            ]
        return "\n".join(lines)

    def pictures(self, model, data, settings, recipe=None):
        """One picture for each categorical code and for each dimension of a continuous one."""
        decode, options, found = as_pictures(model.decode), asdict(settings), {}
        for code in model.space.informative:
            for dim in range(code.num_traversals):
                number = "" if isinstance(code, Categorical) else f"_{dim + 1}"
                found[f"{code.name}{number}.png"] = code_traversal(
                    decode, model.space, code.name, dim, **options
                )
        return found

    def check_results(self, results):
        results["history"][_bound_of(results)]

    def compare(self, runs, settings, data_dir):
        """L_I of the first code: the highest epoch mean within so many steps and at all."""
        check_int("within", settings.within)
        rows = {}
        for run in runs:
            middles, values = self.curve(run.results, _bound_of(run.results))
            ends = middles + self.steps_per_epoch(run.results) / 2
            early, scores = values[ends <= settings.within], run.results["scores"]
            rows[run.name] = {
                "model": run.results["model"],
                "seed": run.results["seed"],
                "steps": int(ends[-1]),
                "entropy": scores["entropy"][_first_code(run.results)],
                "within": float(early.max()) if len(early) else None,
                "highest": float(values.max()),
                "error": scores.get("error"),
            }
        columns = {
            "model": Column("model"),
            "seed": Column("seed"),
            "steps": Column("steps"),
            "entropy": Column("H(c), nats", 4),
            "within": Column(f"highest L_I within {settings.within}", 4),
            "highest": Column("at all", 4),
            "error": self.columns["error"],
        }
        curves = self.curves({run.name: run.results for run in runs})
        return rows, table(rows, columns, heading="training"), curves

    def curves(self, results):
        """Figure 1: the bound of the first informative code against training steps."""
        lines, reference = {}, {}
        for label, result in results.items():
            lines[label] = self.curve(result, _bound_of(result))
            reference["$H(c)$"] = result["scores"]["entropy"][_first_code(result)]
        labels = {"x_label": "training steps", "y_label": "$L_I$ in nats"}
        return {"information.png": training_curves(lines, reference=reference, **labels)}

    def release(self, model, recipe):
        weights = {
            name: round(float(model.ramps[f"information_weight_{name}"](model.step)), 6)
            for name in model.information_weight
        }
        settings = {"preset": recipe.preset, "feedback": model.feedback}
        settings["information_weight"] = weights
        if model.q_augmentation is not None:
            settings["q_augmentation"] = keras.saving.serialize_keras_object(model.q_augmentation)
        return settings, without_optimizers(model, InfoGAN(**settings))


def _as_classes(model, images, labels):
    """What the categories make of labelled images: `error`, as a classifier, and
    `real_information` between image and category, which needs no labels."""
    found = measures.classification(model, images, labels)
    return {name: found[name] for name in ("error", "real_information")}


def _bound_of(results):
    """The name under which L_I of the first informative code, in nats, is logged."""
    return f"information_{_first_code(results)}"


def _first_code(results):
    return next(iter(results["scores"]["entropy"]))


APPLICATION = InfoGANApplication()
