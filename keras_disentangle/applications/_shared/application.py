"""What an application says of itself; all else is the same for each of them."""

from dataclasses import asdict, replace

import numpy as np

from keras_disentangle.applications._shared import data as shapes
from keras_disentangle.applications._shared import training
from keras_disentangle.applications._shared.files import load_model
from keras_disentangle.applications._shared.recipe import NoSettings, of_json
from keras_disentangle.applications._shared.release import Release, record_scores, save_weights
from keras_disentangle.applications._shared.runs import recipe_beside
from keras_disentangle.applications._shared.tables import means, table
from keras_disentangle.visualization import training_curves


class Application:
    """A ready-made system: its models, recipes and scores.

    A subclass sets the attributes and writes those methods that are its own; `APPLICATION` in
    `<name>/application.py` is the instance that the command finds.

    Attributes:
        name: the folder, such as "info_gan".
        title: the name of the factory in `kd.applications`, such as "InfoGAN".
        factory: that function, as a `staticmethod`; its first argument is `weights`.
        model_class: of the models, or a tuple of classes.
        variants: names of the models that can be trained, the application's own first.
        recipe_class: a frozen dataclass of `setting`s.
        recipes: dict from name to recipe.
        default_recipe: the recipe that is trained if none is named.
        sweeps: dict from the name of a recipe to a dict from a variant to a dict of settings, each
            with the values that `compare --sweep` gives it.
        weights: the bundled weights that are evaluated and drawn by default, or `None`.
        takes_data: whether a recipe has the field `data`, which names images.
        any_shape: whether networks are made for images of any shape, which a recipe then says.
        needs_data: whether a model cannot be evaluated without data.
        draws_data: whether pictures of a trained model need data.
        default_data: the data for models of which it is not known what they were trained on.
        columns: dict from the name of a score to its `Column`.
        curve_scales: dict from the name of what is logged to the scale of its curve's axis,
            "linear" or "log".
        evaluation, traversal, comparison: frozen dataclasses of `setting`s of these commands.
        reserved: names that runs that are compared must not have.
        leaves: names of what a training writes into its folder beside what all write.
        mantissa_bits: of bundled weights, as in `save_weights`.
    """

    name = title = factory = model_class = None
    variants = ()
    recipe_class, recipes, default_recipe, sweeps = None, {}, None, {}
    weights = None
    takes_data, any_shape, needs_data, draws_data, default_data = True, False, True, False, None
    columns, curve_scales = {}, {}
    evaluation = traversal = comparison = NoSettings
    reserved = leaves = ()
    mantissa_bits = 10

    # Before a training.

    def image_shape(self, recipe):
        """(h, w, c) of the images that a recipe's networks take."""
        return recipe.image_shape

    def with_data(self, recipe, data, image_size, data_dir, is_chosen):
        """A recipe with other data, to whose shape the networks are made or which are brought to
        that of the networks.

        Args:
            recipe: the recipe.
            data: what `--data` says, or `None`.
            image_size: what `--image-size` says, or `None`.
            data_dir: where named data lie.
            is_chosen: whether the recipe was named by the user.

        Raises:
            ValueError: if the data do not go with the recipe, or nobody said in which shape.
        """
        if self.any_shape:
            return shapes.with_shape_of(recipe, data, image_size, data_dir)
        shape = self.image_shape(recipe) if self.takes_data else None
        if image_size not in (None, shape and shape[0]):
            takes = f"images of {shapes.text(shape)}" if shape else "no images"
            raise ValueError(
                f"`image_size` must be left out: the networks of this recipe take {takes}. "
                f"Received: image_size={image_size}"
            )
        self.check_data(data)
        if data is None:
            return recipe
        known = {name: self.image_shape(recipe) for name, recipe in self.recipes.items()}
        shapes.check_shape_is_said(data, shape, data_dir, "recipe", is_chosen, known)
        return replace(recipe, data=data)

    def check_data(self, data):
        """Raises a ValueError if `--data` names some where none are taken."""
        if data is not None and not self.takes_data:
            raise ValueError(
                f"`data` must be left out: {self.title} is trained without images. "
                f"Received: data={data}"
            )

    def check(self, recipe, variant):
        """The recipe, checked as far as that can be done without data and networks.

        Raises:
            ValueError: if a setting is out of range.
        """
        return recipe

    def read(self, name, image_shape, data_dir):
        """The images that `--data` names: an array of uint8, a data set with factors, or a dict of
        several."""
        raise NotImplementedError

    def data(self, recipe, data_dir):
        """What a recipe is trained and scored on, or `None`."""
        if not self.takes_data:
            return None
        return self.read(recipe.data, tuple(self.image_shape(recipe)), data_dir)

    def prepare(self, run):
        """Checks what must be known before anything is written or removed; what it adds to
        `run.results` must be equal for a training to be resumed.

        Raises:
            ValueError: if something is wrong.
        """

    def build(self, recipe, variant, seed=0):
        """An uncompiled model; sets the global seeds. `None` if `fit` makes it.

        Raises:
            ValueError: if a setting is out of range.
        """
        raise NotImplementedError

    def steps(self, run):
        """How many steps a `Training` will have."""
        return run.recipe.steps

    # While training.

    def fit(self, model, run):
        """Trains what `build` gave; returns the trained model.

        Args:
            run: a `Training`, whose `fit` is to be used.
        """
        raise NotImplementedError

    def final_scores(self, model, run):
        """Scores at the end of a training, or `None`."""
        return self.scores(model, run.data, self.evaluation(), run.recipe)

    def final_pictures(self, model, run):
        """Pictures at the end of a training, as `write_pictures` takes them."""
        return {
            **self.pictures(model, run.data, self.traversal(), run.recipe),
            **self.curves({run.variant: run.results}),
        }

    def curves(self, results):
        """Pictures of training curves, by a dict from label to what `results.json` holds."""
        pictures = {}
        for name, scale in self.curve_scales.items():
            runs = {label: found for label, found in results.items() if name in found["history"]}
            if runs:
                lines = {label: self.curve(found, name) for label, found in runs.items()}
                options = {"y_label": name.replace("_", " "), "y_scale": scale}
                pictures[f"{name}.png"] = training_curves(lines, **options)
        return pictures

    def curve(self, results, name):
        """(steps, values) of what was logged: the mean of each epoch, at its middle."""
        values = np.array(results["history"][name])
        return (np.arange(len(values)) + 0.5) * self.steps_per_epoch(results), values

    def steps_per_epoch(self, results):
        return results["settings"]["steps_per_epoch"]

    def summary(self, results):
        """What is printed of a finished run."""
        lines = [
            f"{results['model']}: {results['steps']} steps ({results['backend']}), seed "
            f"{results['seed']}; {results['seconds']:.0f} s for {results['timed_steps']} of them"
        ]
        last = {name: values[-1] for name, values in results["history"].items()}
        lines += [f"  {name:32} {value:.4g}" for name, value in sorted(last.items())]
        if "scores" in results:
            lines += ["", self.text({results["model"]: results["scores"]})]
        return "\n".join(lines)

    # Of trained models.

    def load(self, weights):
        """The trained model of bundled weights or of a `.keras` file.

        Raises:
            ValueError: if the weights are unknown or damaged, or of another kind of model.
        """
        weights = str(weights)
        is_file = weights.endswith(".keras")
        model = load_model(weights) if is_file else self.factory(weights=weights)
        if not isinstance(model, self.model_class):
            raise ValueError(
                f"`weights` must be those of a model of {self.title}. Received: {type(model)}"
            )
        return model

    def known_recipe(self, weights):
        """The recipe by which weights were trained, as far as it is known, or `None`."""
        if str(weights).endswith(".keras"):
            return recipe_beside(self, weights)
        recipe = Release(self.name, weights).entry.get("recipe")
        try:
            return None if recipe is None else of_json(self.recipe_class, recipe)
        except ValueError as error:
            raise ValueError(f"The recipe of the weights {weights!r}: {error}") from error

    def evaluation_data(self, model, name, data_dir, settings):
        """What `scores` and `pictures` take of data that `--data` names."""
        return self.read(name, tuple(model.image_shape), data_dir)

    def scores(self, model, data, settings, recipe=None):
        """A dict of scores: what train, evaluate, compare and ship all print and store.

        Args:
            model: the trained model.
            data: what `data` or `evaluation_data` gave.
            settings: the dataclass `evaluation`.
            recipe: the recipe of the training, or `None` if it is not known.
        """
        raise NotImplementedError

    def text(self, rows):
        """A table of scores, from a dict of label to scores."""
        return table(rows, self.columns)

    def headline(self, scores):
        """Those of an evaluation's scores that `keras-disentangle list` shows, if in `columns`."""
        return scores

    def report(self, name, scores, intervals):
        """What is printed of an evaluation: by default a table of one line."""
        return self.text({name: scores})

    def evaluation_pictures(self, model, data, scores, name, settings):
        """Pictures of an evaluation, as `write_pictures` takes them."""
        return {}

    def pictures(self, model, data, settings, recipe=None):
        """Pictures of what latents do, as `write_pictures` takes them; `settings` are those of
        `traversal`."""
        raise NotImplementedError

    # Of several trainings.

    def check_results(self, results):
        """Raises any error if this is not what a training of this application writes."""

    def check_comparable(self, recipe, data_dir):
        """Raises a ValueError if runs of this recipe could not be compared: asked before they are
        trained for that."""

    def row(self, results):
        """What the table of a comparison shows of a finished run."""
        return results["scores"]

    def compare(self, runs, settings, data_dir):
        """Compares finished runs: by default all scores, and their means over seeds.

        Args:
            runs: list of `FinishedRun`.
            settings: the dataclass `comparison`.

        Returns:
            (content, text, pictures): what goes into `scores.json`, what is printed, and pictures
            as `write_pictures` takes them.

        Raises:
            ValueError: if they cannot be compared.
        """
        results = {run.name: {**run.results, "scores": self.row(run.results)} for run in runs}
        return *self.tabulated(results), self.curves(results)

    def tabulated(self, results):
        """The content and the text of a comparison: scores of runs, and their means over seeds."""
        scores = {name: found["scores"] for name, found in results.items()}
        averages = means(results)
        return {"runs": scores, "means": averages}, self.text({**scores, **averages})

    def page(self, content, text, pictures):
        """The Markdown page of a comparison, of what `compare` returned."""
        shown = (f"![{name}]({name})" for name in pictures)
        return "\n\n".join(["# Comparison", f"```text\n{text}\n```", *shown])

    # Releases.

    def release(self, model, recipe):
        """How a trained model is bundled.

        Args:
            model: the trained model.
            recipe: the recipe of its training.

        Returns:
            (settings, saved): the arguments with which the factory makes such a model, which JSON
            can hold, and what of it is saved, as the factory loads it.
        """
        raise NotImplementedError

    def ship(self, name, path, recipe, data=None, data_dir=None, settings=None):
        """Bundles a trained model's weights; returns the scores of what was stored.

        Args:
            name: what the factory's `weights` will take.
            path: the `.keras` file.
            recipe: the recipe of its training.
            data: name of the data on which it is scored, by default those of the recipe.
            settings: the dataclass `evaluation`.

        Raises:
            ValueError: if the file is damaged or of another kind of model.
        """
        arguments, saved = self.release(self.load(path), recipe)
        data = data or getattr(recipe, "data", None)
        known = {"recipe": asdict(recipe)}
        if data is not None:
            known["data"] = data
        save_weights(saved, self.name, self.title, name, arguments, self.mantissa_bits, **known)
        model, settings = self.load(name), settings or self.evaluation()
        held = self.evaluation_data(model, data, data_dir, settings) if data else None
        scores = self.scores(model, held, settings, recipe)
        record_scores(self.name, self.title, name, scores)
        return scores

    def train(self, recipe, variant=None, log_dir=None, data_dir=None, seed=0, verbose="auto"):
        """Trains one model by a recipe and writes everything of it into `log_dir`.

        That is `model.keras`, `results.json` (settings, curves, scores, seconds), `pictures/` and
        TensorBoard logs. An interrupted training resumes where it stopped, bit for bit, if it is
        started again with the same settings; a finished one is kept and returned.

        Args:
            recipe: the recipe, or its name.
            variant: one of `variants`, by default the first.
            log_dir: where everything goes, by default runs/<name>.
            data_dir: where downloaded data sets lie.
            seed: of weights, codes and data order.
            verbose: as in `keras.Model.fit`.

        Returns:
            (model, results): the trained model and what went into `results.json`.

        Raises:
            ValueError: if the model, the data or a setting is unknown or out of range, or `log_dir`
                holds a training with other settings.
        """
        return training.train(
            self,
            self.recipes[recipe] if isinstance(recipe, str) else recipe,
            variant or self.variants[0],
            log_dir or f"runs/{self.name}",
            data_dir,
            seed,
            verbose,
        )
