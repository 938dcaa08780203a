"""The commands, the same for every application: what they read, do, print and write.

`compare` is in a file of its own.
"""

import json
from pathlib import Path

from keras_disentangle.applications._shared import evaluation, parsers, training
from keras_disentangle.applications._shared.comparison import compare
from keras_disentangle.applications._shared.data import announce, text
from keras_disentangle.applications._shared.files import load_model, write_json, write_pictures
from keras_disentangle.applications._shared.parsers import Parser, output, settings_of
from keras_disentangle.applications._shared.release import Release, is_path
from keras_disentangle.datasets.named import FACTOR_DATA, factor_data

EVALUATION = "evaluation.json"


def train(application, arguments):
    """Trains a model by a recipe; started again with the same flags, an interrupted training
    resumes."""
    name, folder = application.name, f"runs/{application.name}"
    parser = Parser(
        f"train {name}",
        description=train.__doc__,
        epilog=f"Example: train {name} --recipe {application.default_recipe} --log-dir runs/mine",
    )
    parsers.add_training(parser, application)
    parser.add_argument("--log-dir", default=folder, help="where everything goes")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, write nothing")
    parsers.add_json(parser)
    options = parser.read(arguments)
    verbose = "auto" if options["verbose"] is None else options["verbose"]
    with output(options) as put:
        recipe = parsers.recipe_of(application, options, parsers.own_settings(application, options))
        chosen = (recipe, options["model"] or application.variants[0], options["log_dir"])
        chosen += (options["data_dir"], options["seed"])
        if options["dry_run"]:
            plan = training.plan(application, *chosen)
            put(plan, plan_text(plan))
            return
        _, results = training.train(application, *chosen, verbose)
        log_dir = Path(options["log_dir"])
        lines = [f"\n{application.summary(results)}\n"]
        for what, where in (
            ("pictures", "pictures"),
            ("results", training.RESULTS),
            ("model", training.MODEL),
        ):
            lines.append(f"{what:10} {log_dir / where}")
        lines.append(f"TensorBoard: tensorboard --logdir {log_dir}")
        put(results, "\n".join(lines))


def plan_text(plan):
    """A plan as text."""
    data = "none"
    if plan["data"] is not None:
        data = f"{plan['data']['images']:,} images of {text(plan['data']['image_shape'])}"
    # Of a network that is made while training, nothing is known.
    kind, parameters = "", "not known before"
    if plan["class"] is not None:
        kind, parameters = f" ({plan['class']})", f"{plan['parameters']:,}"
    settings = ", ".join(f"{name} {value}" for name, value in plan["settings"].items())
    return "\n".join(
        [
            f"model       {plan['application']}, {plan['model']}{kind}",
            f"parameters  {parameters}",
            f"data        {data}",
            f"steps       {plan['steps']:,}",
            f"settings    {settings}",
            f"backend     {plan['backend']}, seed {plan['seed']}",
            f"folder      {plan['log_dir']}" + (", resumes" if plan["resumes"] else ""),
            f"files       {', '.join(plan['files'])}",
        ]
    )


def evaluate(application, arguments):
    """Scores a trained model; prints a table, and writes evaluation.json and pictures."""
    name = application.name
    parser = Parser(f"evaluate {name}", description=evaluate.__doc__)
    parsers.add_weights(parser, application)
    parsers.add_data(parser)
    parsers.add_results(parser, "runs/evaluation")
    parsers.add_settings(parser, application.evaluation)
    options = parser.read(arguments)
    weights = parsers.check_weights(application, options["weights"])
    settings = settings_of(application.evaluation, options)
    with output(options) as put:
        model, recipe = application.load(weights), application.known_recipe(weights)
        data_name = _data_name(application, options, recipe, application.needs_data)
        data = _data(application, model, data_name, options, settings)
        scores = dict(application.scores(model, data, settings, recipe))
        intervals = scores.pop("intervals", {})
        file = Release(name, weights).path
        content = evaluation.record(scores, intervals, weights, file, data_name, data, settings)
        label = Path(weights).stem
        pictures = application.evaluation_pictures(model, data, scores, label, settings)
        report = application.report(label, scores, intervals)
        put(content, _write(Path(options["out"]), content, report, pictures))


def evaluate_file(arguments):
    """Measures how disentangled the codes of a Keras model are; prints a table, and writes
    evaluation.json and pictures."""
    parser = Parser(
        "evaluate",
        description=evaluate_file.__doc__,
        epilog="Example: evaluate model.keras --data images_and_factors.npz --metrics all",
    )
    parser.add_argument(
        "model",
        help="a .keras file: a model with encode, or one that maps images in [0, 1] to codes, or "
        "to mean and log variance",
    )
    parser.add_argument("--data", required=True, help=FACTOR_DATA)
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    parsers.add_results(parser, "runs/evaluation")
    parsers.add_settings(parser, evaluation.FactorEvaluation)
    options = parser.read(arguments)
    settings = settings_of(evaluation.FactorEvaluation, options)
    with output(options) as put:
        path = options["model"]
        model = load_model(path, "model")
        shape = getattr(model, "image_shape", None) or getattr(model, "input_shape", (None,))[1:]
        data = factor_data(options["data"], shape, options["data_dir"])
        if data is None:
            raise ValueError(f"`data` must be {FACTOR_DATA}. Received: {options['data']}")
        scores = evaluation.evaluate(model, data, settings)
        intervals = scores.pop("intervals", {})
        content = evaluation.record(scores, intervals, path, path, options["data"], data, settings)
        pictures = evaluation.pictures(model, data, scores, Path(path).stem, settings)
        report = evaluation.text(scores, intervals)
        put(content, _write(Path(options["out"]), content, report, pictures))


def traverse(application, arguments):
    """Draws what the latents of a trained model do, as PNG and GIF."""
    parser = Parser(f"traverse {application.name}", description=traverse.__doc__)
    parsers.add_weights(parser, application)
    parsers.add_data(parser)
    parsers.add_results(parser, "runs/traversal")
    parsers.add_settings(parser, application.traversal)
    options = parser.read(arguments)
    weights, out = parsers.check_weights(application, options["weights"]), Path(options["out"])
    settings = settings_of(application.traversal, options)
    with output(options) as put:
        model, recipe = application.load(weights), application.known_recipe(weights)
        data = None
        if application.draws_data:
            data_name = _data_name(application, options, recipe, True)
            data = _data(application, model, data_name, options, settings)
        written = write_pictures(out, application.pictures(model, data, settings, recipe))
        put({"folder": str(out), "pictures": written}, f"written to {out}: {', '.join(written)}")


def ship(application, arguments):
    """Bundles a trained model's weights with the application, with their checksum, recipe and
    scores."""
    parser = Parser(f"ship {application.name}", description=ship.__doc__)
    parser.add_argument("name", help=f"the name that {application.title}(weights=...) will take")
    parser.add_argument("model", help="the .keras file of a training")
    parser.add_argument(
        "--recipe",
        choices=sorted(application.recipes),
        help="of the training; by default that in results.json beside the file",
    )
    parsers.add_data(parser)
    parsers.add_json(parser)
    parsers.add_settings(parser, application.evaluation)
    options = parser.read(arguments)
    if is_path(options["name"]):
        raise ValueError(f"`name` must be a bare word. Received: name={options['name']!r}")
    with output(options) as put:
        if options["recipe"] is None:
            recipe = training.recipe_beside(application, options["model"])
        else:
            recipe = application.recipes[options["recipe"]]
        if recipe is None:
            raise ValueError(
                f"`recipe` must be given for a model without its {training.RESULTS} beside it. "
                f"Received: model={options['model']}"
            )
        scores = application.ship(
            options["name"],
            options["model"],
            recipe,
            options["data"],
            options["data_dir"],
            settings_of(application.evaluation, options),
        )
        put(scores, application.report(options["name"], scores, {}))


def _data_name(application, options, recipe, is_needed):
    """The data that were named, or else, if needed, those that a model was trained on."""
    if options["data"] is not None or not is_needed:
        return options["data"]
    return getattr(recipe, "data", None) or application.default_data


def _data(application, model, name, options, settings):
    if name is None:
        return None
    announce(name, model.image_shape, options["data_dir"])
    return application.evaluation_data(model, name, options["data_dir"], settings)


def _write(out, content, report, pictures):
    """Writes an evaluation in the place of an earlier one; returns what is to be printed."""
    try:
        before = json.loads((out / EVALUATION).read_text())["pictures"]
        for name in before:
            (out / Path(name).name).unlink(missing_ok=True)
    except (OSError, ValueError, LookupError, TypeError):
        pass
    content["pictures"] = write_pictures(out, pictures)
    write_json(out / EVALUATION, content)
    return f"\n{report}\n\nwritten to {out}: {', '.join([EVALUATION, *content['pictures']])}"


OF_APPLICATIONS = {
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "traverse": traverse,
    "ship": ship,
}
