"""The command that compares finished runs, and trains those that are missing."""

import itertools
import json
from pathlib import Path

from keras_disentangle.applications._shared import parsers, training
from keras_disentangle.applications._shared.files import write_json, write_pictures
from keras_disentangle.applications._shared.parsers import Parser, output


def compare(application, arguments):
    """Compares finished trainings. Without any, first trains each model with each value of the
    settings and each seed that is not trained yet, in folders of --out."""
    name = application.name
    parser = Parser(
        f"compare {name}",
        description=compare.__doc__,
        epilog=f"Example: compare {name} runs/first runs/second --out runs/both",
    )
    parser.add_argument("runs", nargs="*", help="the --log-dir of each training")
    parsers.add_training(parser, application, several=True)
    parsers.add_results(parser, "runs/compared")
    parsers.add_settings(parser, application.comparison)
    options = parser.read(arguments)
    settings, out = parsers.settings_of(application.comparison, options), Path(options["out"])
    own = {
        name: values if isinstance(values, list) else [values]
        for name, values in parsers.own_settings(application, options).items()
    }
    with output(options) as put:
        if options["runs"]:
            if own or options["model"] or options["recipe"] or options["data"]:
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
            folders = [_trained(application, options, *kind, out) for kind in _kinds(own, options)]
        runs = [training.read_run(application, folder) for folder in folders]
        content, report, pictures = application.compare(runs, settings, options["data_dir"])
        write_json(out / "scores.json", content)
        written = ["scores.json", *write_pictures(out, pictures)]
        put(content, f"{report}\n\nwritten to {out}: {', '.join(written)}")


def _kinds(own, options):
    """(model, settings, seed, name of the folder) of each training of a comparison."""
    several = {name for name, values in own.items() if len(values) > 1}
    for model in options["model"] or [None]:
        for values in itertools.product(*own.values()):
            chosen = dict(zip(own, values, strict=True))
            label = "".join(f"_{name}_{_plain(chosen[name])}" for name in own if name in several)
            for seed in options["seed"]:
                yield model, chosen, seed, f"{label}_seed_{seed}"


def _plain(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def _trained(application, options, model, chosen, seed, label, out):
    """The folder of a training, which is trained unless it is there."""
    model = model or application.variants[0]
    recipe = parsers.recipe_of(application, options, chosen)
    folder = out / f"{model}{label}"
    if (folder / training.RESULTS).is_file():
        found = training.read_run(application, folder).results
        asked = training.prepared(
            application, recipe, model, folder, options["data_dir"], seed
        ).results
        asked = json.loads(json.dumps(asked))
        asked.update(asked.pop("settings"))
        kept = {**found, **found["settings"]}
        if differ := sorted(name for name in asked if kept.get(name) != asked[name]):
            raise ValueError(
                "`out` must be an empty folder, or one of the same trainings. Received: "
                f"{folder}, which differs in {differ}"
            )
        return folder
    application.check_comparable(recipe, options["data_dir"])
    print(f"{model}{label}")
    verbose = 2 if options["verbose"] is None else options["verbose"]
    training.train(application, recipe, model, folder, options["data_dir"], seed, verbose)
    return folder
