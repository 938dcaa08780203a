"""The command that compares finished runs, and trains those that are missing."""

import itertools
import json
import traceback
from dataclasses import fields
from pathlib import Path

from keras_disentangle._arguments import check_int
from keras_disentangle._files import write_whole
from keras_disentangle.applications._shared import jobs, parsers, training
from keras_disentangle.applications._shared.data import skipping_damaged
from keras_disentangle.applications._shared.files import write_json, write_pictures
from keras_disentangle.applications._shared.parsers import Parser, output
from keras_disentangle.applications._shared.recipe import parsed
from keras_disentangle.applications._shared.runs import RESULTS, read_run

SCORES, PAGE = "scores.json", "report.md"


def compare(application, arguments):
    """Compares finished trainings. Without any, first trains each model with each value of the
    settings and each seed that is not trained yet, in folders of --out. Started again, it goes on
    where it was interrupted; a training that fails does not end the others."""
    name = application.name
    flags = {
        "runs": {"nargs": "*", "help": "the --log-dir of each training"},
        **parsers.of_training(application, several=True),
        "--of": {
            "nargs": "+",
            "action": "append",
            "metavar": ("MODEL", "SETTING=VALUE,VALUE"),
            "help": "values of settings for one model alone, such as: --of beta_vae beta=1,4",
        },
        "--sweep": {
            "action": "store_true",
            "help": "give each model the values that its recipe declares",
        },
        "--jobs": {"type": int, "help": "train in processes of their own, so many at once"},
        **parsers.of_results("runs/compared"),
    }
    example = f"Example: compare {name} runs/first runs/second --out runs/both"
    kind = application.comparison
    parser = Parser(f"compare {name}", compare.__doc__, flags, kind, example)
    parsers.add_recipe(parser, application, several=True)
    options = parser.read(arguments)
    settings, out = parsers.settings_of(kind, options), Path(options["out"])
    own = {
        name: values if isinstance(values, list) else [values]
        for name, values in parsers.own_settings(application, options).items()
    }
    with output(options) as put, skipping_damaged(options["skip_damaged"]):
        failed = {}
        if options["runs"]:
            chosen = ("model", "recipe", "data", "of", "sweep", "jobs")
            if own or any(options[name] for name in chosen):
                raise ValueError(
                    "`runs` must be left out for settings by which something is to be trained. "
                    f"Received: runs={options['runs']}"
                )
            folders = list(map(Path, options["runs"]))
            names = {folder.name for folder in folders}
            if len(names) < len(folders) or names & set(application.reserved):
                known = "".join(f", and none that of {name!r}" for name in application.reserved)
                raise ValueError(
                    f"`runs` must have different names, for the table{known}. "
                    f"Received: runs={options['runs']}"
                )
        else:
            trainings = list(_trainings(application, options, own, out))
            _check_different(trainings)
            failed = _train_missing(application, options, trainings)
            folders = [x["log_dir"] for x in trainings if x["log_dir"] not in failed]
        if folders:
            runs = [read_run(application, folder) for folder in folders]
            content, text, pictures = application.compare(runs, settings, options["data_dir"])
            write_json(out / SCORES, content)
            written = [SCORES, PAGE, *write_pictures(out, pictures)]
            page = application.page(content, text, pictures)
            write_whole(out / PAGE, f"{page.rstrip()}\n".encode())
            put(content, f"{text}\n\nwritten to {out}: {', '.join(written)}")
    if failed:
        lines = [f"  {folder}: {words}" for folder, words in failed.items()]
        raise SystemExit("\n".join([f"error: {len(failed)} trainings failed:", *lines]))


def _trainings(application, options, own, out):
    """The arguments of each training of a comparison, as `training.train` takes them."""
    models = options["model"] or application.variants[:1]
    particular = _particular(application, options)
    if options["sweep"] and not options["model"]:
        models = application.variants
    for model in dict.fromkeys([*models, *particular]):
        values = {**own, **particular.get(model, {})}
        # Those of one model alone are always named, so that others can join later.
        named = {x for x in values if len(values[x]) > 1 or x in particular.get(model, {})}
        for product in itertools.product(*values.values()):
            chosen = dict(zip(values, product, strict=True))
            label = "".join(f"_{name}_{_plain(chosen[name])}" for name in values if name in named)
            recipe = application.check(parsers.recipe_of(application, options, chosen), model)
            for seed in options["seed"]:
                yield {
                    "recipe": recipe,
                    "variant": model,
                    "log_dir": out / f"{model}{label}_seed_{seed}",
                    "data_dir": options["data_dir"],
                    "seed": seed,
                    "verbose": 2 if options["verbose"] is None else options["verbose"],
                }


def _check_different(trainings):
    """Raises a ValueError if two trainings would share a folder."""
    names = [x["log_dir"].name for x in trainings]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(
            "Seeds and values of settings must be different, in their first six digits. "
            f"Received: {twice[0]} twice"
        )


def _particular(application, options):
    """Dict from a model to the values of the settings that it alone is to have."""
    found = {}
    if options["sweep"]:
        recipe = options["recipe"] or application.default_recipe
        if recipe not in application.sweeps:
            known = sorted(application.sweeps)
            raise ValueError(
                f"`sweep` must be left out for a recipe that declares none; {known} do. "
                f"Received: recipe={recipe}"
            )
        chosen = options["model"] or application.variants
        found = {
            model: {name: list(values) for name, values in own.items()}
            for model, own in application.sweeps[recipe].items()
            if model in chosen
        }
    known = {field.name for field in fields(application.recipe_class)} - {"data"}
    for model, *words in options["of"] or ():
        parsers.choice("model of --of", model, application.variants)
        for word in words:
            name, equals, values = word.partition("=")
            if name not in known or not equals:
                raise ValueError(
                    f"`of` must be followed by a model and SETTING=VALUE,VALUE, the setting one of "
                    f"{sorted(known)}. Received: {word}"
                )
            listed = [parsed(application.recipe_class, name, value) for value in values.split(",")]
            found.setdefault(model, {})[name] = listed
    return found


def _plain(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def _train_missing(application, options, trainings):
    """Trains what is not there; returns a dict from the folder of each that failed to why."""
    missing = [x for x in trainings if not _is_there(application, x)]
    for recipe in {repr(x["recipe"]): x["recipe"] for x in missing}.values():
        application.check_comparable(recipe, options["data_dir"])
    if options["jobs"] is not None:
        return jobs.run(application, missing, check_int("jobs", options["jobs"]))
    failed = {}
    for chosen in missing:
        folder = chosen["log_dir"]
        print(folder.name)
        try:
            training.train(application, **chosen)
        except Exception as error:
            if len(trainings) == 1:
                raise
            traceback.print_exc()
            failed[folder] = f"{type(error).__name__}: {error}"
    return failed


def _is_there(application, chosen):
    """Whether a training is finished, by these settings.

    Raises:
        ValueError: if there is one by others.
    """
    folder = chosen["log_dir"]
    if not (folder / RESULTS).is_file():
        return False
    found = read_run(application, folder).results
    asked = json.loads(json.dumps(training.prepared(application, **chosen).results))
    asked.update(asked.pop("settings"))
    kept = {**found, **found["settings"]}
    if differ := sorted(name for name in asked if kept.get(name) != asked[name]):
        raise ValueError(
            "`out` must be an empty folder, or one of the same trainings. Received: "
            f"{folder}, which differs in {differ}"
        )
    return True
