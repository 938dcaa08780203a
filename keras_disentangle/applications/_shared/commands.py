"""The commands, the same for every application: what they read, do, print and write.

`compare` is in a file of its own.
"""

import contextlib
import json
from pathlib import Path

from keras_disentangle.applications._shared import devices, evaluation, parsers, training
from keras_disentangle.applications._shared.comparison import compare
from keras_disentangle.applications._shared.data import announce, is_there, skipping_damaged, text
from keras_disentangle.applications._shared.factors import FactorApplication, FactorEvaluation
from keras_disentangle.applications._shared.files import load_model, write_json, write_pictures
from keras_disentangle.applications._shared.parsers import Parser, output, settings_of
from keras_disentangle.applications._shared.release import Release, is_path
from keras_disentangle.applications._shared.runs import (
    MODEL,
    RESULTS,
    application_of,
    recipe_beside,
)
from keras_disentangle.datasets.named import FACTOR_DATA, factor_data
from keras_disentangle.trainers._launch import on_devices

EVALUATION = "evaluation.json"


def train(application, arguments):
    """Trains a model by a recipe; started again with the same flags, an interrupted training
    resumes."""
    name, folder = application.name, f"runs/{application.name}"
    flags = {
        **parsers.of_training(application),
        "--log-dir": {"default": folder, "help": "where everything goes"},
        "--dry-run": {"action": "store_true", "help": "print the plan, write nothing"},
        **devices.FLAGS,
        **parsers.JSON,
    }
    example = f"Example: train {name} --recipe {application.default_recipe} --log-dir runs/mine"
    parser = Parser(f"train {name}", train.__doc__, flags, epilog=example)
    parsers.add_recipe(parser, application)
    options = parser.read(arguments)
    if devices.start(_without("--processes", ["train", name, *arguments]), options["processes"]):
        return
    verbose = "auto" if options["verbose"] is None else options["verbose"]
    skips = skipping_damaged(options["skip_damaged"])
    with output(options) as put, on_devices(options["devices"]), skips:
        recipe = parsers.recipe_of(application, options, parsers.own_settings(application, options))
        chosen = (recipe, options["model"] or application.variants[0], options["log_dir"])
        chosen += (options["data_dir"], options["seed"])
        if options["dry_run"]:
            plan = training.plan(application, *chosen)
            put(plan, plan_text(plan))
            return
        _, results = training.train(application, *chosen, verbose, options["on_device"])
        if not devices.is_first():
            return
        log_dir = Path(options["log_dir"])
        files = {"pictures": "pictures", "results": RESULTS, "model": MODEL}
        lines = [f"\n{application.summary(results)}\n"]
        lines += [f"{what:10} {log_dir / where}" for what, where in files.items()]
        put(results, "\n".join([*lines, f"TensorBoard: tensorboard --logdir {log_dir}"]))


def _without(flag, words):
    """Arguments of a command without a flag and its value."""
    words = [word for word in words if not word.startswith(f"{flag}=")]
    places = [i for i, word in enumerate(words) if word == flag]
    return [word for i, word in enumerate(words) if i not in places and i - 1 not in places]


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
    lines = {
        "model": f"{plan['application']}, {plan['model']}{kind}",
        "parameters": parameters,
        "data": data,
        "steps": f"{plan['steps']:,}",
        "settings": settings,
        "backend": f"{plan['backend']}, seed {plan['seed']}",
        "folder": plan["log_dir"] + ", resumes" * plan["resumes"] + ", finished" * plan["finished"],
        "files": ", ".join(plan["files"]),
    }
    return "\n".join(f"{name:11} {value}" for name, value in lines.items())


def evaluate(application, arguments):
    """Scores a trained model; prints a table, and writes evaluation.json and pictures."""
    options, weights, settings = _read("evaluate", application, arguments, application.evaluation)
    with output(options) as put, skipping_damaged(options["skip_damaged"]):
        asked = options["data"], options["data_dir"], settings, application.needs_data
        model, recipe, named, data = _loaded(application, weights, *asked)
        known = weights, Release(application.name, weights).path, named
        put(*_evaluated(application, options["out"], model, data, settings, *known, recipe))


def evaluate_file(arguments):
    """Measures how disentangled the codes of a Keras model are; prints a table, and writes
    evaluation.json and pictures."""
    text = (
        "a .keras file: a model with encode, or one that maps images in [0, 1] to codes, or to "
        "mean and log variance"
    )
    flags = {
        "model": {"help": text},
        "--data": {"required": True, "help": FACTOR_DATA},
        "--data-dir": parsers.DATA["--data-dir"],
        **parsers.of_results("runs/evaluation"),
    }
    example = "Example: evaluate model.keras --data images_and_factors.npz --metrics all"
    parser = Parser("evaluate", evaluate_file.__doc__, flags, FactorEvaluation, example)
    options = parser.read(arguments)
    settings = settings_of(FactorEvaluation, options)
    with output(options) as put:
        path = options["model"]
        model = load_model(path, "model")
        shape = getattr(model, "image_shape", None) or getattr(model, "input_shape", (None,))[1:]
        data = factor_data(options["data"], shape, options["data_dir"])
        if data is None:
            raise ValueError(_without_factors(path, options["data"]))
        named = (path, path, options["data"])
        put(*_evaluated(FactorApplication(), options["out"], model, data, settings, *named))


def _without_factors(model, data):
    """What is said of data by which no model can be evaluated."""
    if not is_there(data):
        return f"`data` must be {FACTOR_DATA}. Received: {data}"
    application = application_of(Path(model).parent) or "APPLICATION"
    return (
        f"`data` must have factors, by which any model can be measured: {FACTOR_DATA}. Of images "
        f"alone, `evaluate {application} --weights {model}` measures what the application can, "
        "`model.evaluate` the objective (of a VAE, the negative ELBO), "
        "`kd.metrics.latent_information` what latents know, and `kd.rank_models` (UDR) how far "
        f"several trainings agree. Received: {data}"
    )


def traverse(application, arguments):
    """Draws what the latents of a trained model do, as PNG and GIF."""
    options, weights, settings = _read("traverse", application, arguments, application.traversal)
    with output(options) as put, skipping_damaged(options["skip_damaged"]):
        out, draws_data = Path(options["out"]), application.draws_data
        asked = options["data"] if draws_data else None, options["data_dir"], settings, draws_data
        model, recipe, _, data = _loaded(application, weights, *asked)
        written = write_pictures(out, application.pictures(model, data, settings, recipe))
        put({"folder": str(out), "pictures": written}, f"written to {out}: {', '.join(written)}")


def ship(application, arguments):
    """Bundles a trained model's weights with the application, with their checksum, recipe and
    scores."""
    text = "of the training; by default that in results.json beside the file"
    flags = {
        "name": {"help": f"the name that {application.title}(weights=...) will take"},
        "model": {"help": "the .keras file of a training"},
        "--recipe": {"choices": sorted(application.recipes), "help": text},
        **parsers.DATA,
        **parsers.JSON,
    }
    parser = Parser(f"ship {application.name}", ship.__doc__, flags, application.evaluation)
    options = parser.read(arguments)
    if is_path(options["name"]):
        raise ValueError(f"`name` must be a bare word. Received: name={options['name']!r}")
    with output(options) as put, skipping_damaged(options["skip_damaged"]):
        if options["recipe"] is None:
            recipe = recipe_beside(application, options["model"])
        else:
            recipe = application.recipes[options["recipe"]]
        if recipe is None:
            raise ValueError(
                f"`recipe` must be given for a model without its {RESULTS} beside it. "
                f"Received: model={options['model']}"
            )
        settings = settings_of(application.evaluation, options)
        given = (options["name"], options["model"], recipe, options["data"], options["data_dir"])
        scores = application.ship(*given, settings)
        put(scores, application.report(options["name"], scores, {}))


def _read(command, application, arguments, kind):
    """The options, weights and settings of a command for a trained model."""
    out = {"evaluate": "runs/evaluation", "traverse": "runs/traversal"}[command]
    flags = {**parsers.of_weights(application), **parsers.DATA, **parsers.of_results(out)}
    description = OF_APPLICATIONS[command].__doc__
    parser = Parser(f"{command} {application.name}", description, flags, kind)
    options = parser.read(arguments)
    weights = parsers.check_weights(application, options["weights"])
    return options, weights, settings_of(kind, options)


def _loaded(application, weights, data, data_dir, settings, needs_data):
    """The model, the recipe of its training, and the name and content of the data: of those named,
    or else, if needed, of those that it was trained on."""
    application.check_data(data)
    model, recipe = application.load(weights), application.known_recipe(weights)
    if data is None and needs_data:
        data = getattr(recipe, "data", None) or application.default_data
    if data is None:
        return model, recipe, None, None
    announce(data, model.image_shape, data_dir)
    return model, recipe, data, application.evaluation_data(model, data, data_dir, settings)


def _evaluated(application, out, model, data, settings, name, file, data_name, recipe=None):
    """Scores a model and writes an evaluation in the place of an earlier one; returns its content,
    and what is to be printed."""
    scores = dict(application.scores(model, data, settings, recipe))
    intervals, label, out = scores.pop("intervals", {}), Path(name).stem, Path(out)
    content = evaluation.record(scores, intervals, name, file, data_name, data, settings)
    pictures = application.evaluation_pictures(model, data, scores, label, settings)
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        for before in json.loads((out / EVALUATION).read_text())["pictures"]:
            (out / Path(before).name).unlink(missing_ok=True)
    content["pictures"] = write_pictures(out, pictures)
    write_json(out / EVALUATION, content)
    report = application.report(label, scores, intervals)
    return content, f"\n{report}\n\nwritten to {out}: {', '.join([EVALUATION, *pictures])}"


OF_APPLICATIONS = {
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "traverse": traverse,
    "ship": ship,
}
