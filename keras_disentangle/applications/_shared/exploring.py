"""The command `explore`: a trained model's latents, moved in the browser or in a page of a file,
or a report on it."""

from pathlib import Path

from keras_disentangle.applications._shared import parsers, registry
from keras_disentangle.applications._shared.data import (
    factors_or_images,
    is_there,
    skipping_damaged,
)
from keras_disentangle.applications._shared.files import load_model
from keras_disentangle.applications._shared.parsers import DATA, Parser
from keras_disentangle.applications._shared.release import manifests
from keras_disentangle.applications._shared.runs import MODEL, RUN
from keras_disentangle.datasets.named import RENDERED
from keras_disentangle.explorer import Explorer, export_page
from keras_disentangle.explorer.explore import explore
from keras_disentangle.explorer.report import report

_FLAGS = {
    **DATA,
    "--image": {"type": int, "help": "number of the image of the data that --export begins with"},
    "--export": {"metavar": "PAGE.html", "help": "write one file that needs no server, and end"},
    "--report": {"metavar": "REPORT.html", "help": "write a report on the model, and end"},
    "--runtime": {
        "metavar": "DIST",
        "help": "of npm's onnxruntime-web, for a page that holds the decoder itself",
    },
    "--port": {"type": int, "help": "of the server; by default the first free one from 7860 on"},
    "--share": {"action": "store_true", "help": "also make a public address, through Gradio"},
    "--controls": {"type": int, "default": 32, "help": "how many latents can be moved"},
    "--seed": {"type": int, "default": 0, "help": "of what is drawn"},
}


def explore_name(name, arguments):
    """Opens a page on 127.0.0.1 on which the latents of a trained model are moved."""
    application, weights = _found(name)
    flags = {**parsers.of_weights(application), **_FLAGS}
    if weights is not None:
        flags["--weights"] = {**flags["--weights"], "default": weights}
    options = Parser(f"explore {name}", explore_name.__doc__, flags).read(arguments)
    weights = parsers.check_weights(application, options["weights"])
    model, recipe = application.load(weights), application.known_recipe(weights)
    if options["data"] is None and getattr(recipe, "data", None) in RENDERED:
        options["data"] = recipe.data
    elif options["data"] is None and is_there(getattr(recipe, "data", None)):
        print(f"--data {recipe.data} begins with an image of the training")
    if str(weights).endswith(".keras"):
        return _open(model, options, _of_file(weights), _title(Path(weights), model))
    source = f"model = kd.applications.{application.title}(weights={weights!r})"
    _open(model, options, f"import keras_disentangle as kd\n{source}", application.title)


def explore_file(arguments):
    """Opens a page on 127.0.0.1 on which the latents of a Keras model are moved."""
    flags = {"model": {"help": "a .keras file: a model with decode, or one from codes to images"}}
    parser = Parser("explore", explore_file.__doc__, {**flags, **_FLAGS})
    options = parser.read(arguments)
    model = load_model(options["model"], "model")
    _open(model, options, _of_file(options["model"]), _title(Path(options["model"]), model))


def _open(model, options, source, title):
    """Opens the page or writes the file."""
    data = None
    if options["data"] is not None and hasattr(model, "encode"):
        with skipping_damaged(options["skip_damaged"]):
            data = factors_or_images(options["data"], model.image_shape, options["data_dir"])
    settings = {"max_controls": options["controls"], "seed": options["seed"]}
    if options["report"] is not None:
        report(model, data, options["report"], title=title, seed=options["seed"])
        print(f"written to {options['report']}")
        return
    if options["export"] is None:
        given = {"port": options["port"], "share": options["share"], "source": source}
        explore(model, data, **given, **settings)
        return
    explorer = Explorer(model, data, **settings)
    point = None if options["image"] is None else explorer.of_number(options["image"])
    export_page(explorer, options["export"], point, title=title, runtime=options["runtime"])
    print(f"written to {options['export']}")


def _title(path, model):
    """The name of a file; where all runs call theirs alike, that of the run's folder."""
    if path.name != MODEL:
        return path.stem
    folder = path.resolve().parent
    return folder.name if (folder / RUN).exists() else type(model).__name__


def _of_file(path):
    return f"import keras\nimport keras_disentangle\nmodel = keras.models.load_model({str(path)!r})"


def _found(name):
    """The application of a name, and the weights if it is the name of bundled ones."""
    known = registry.names()
    bundled = [folder for folder, _, entries in manifests() if name in entries]
    bundled = sorted(folder for folder in bundled if folder in known)
    if name in known:
        return registry.find(name), None
    if len(bundled) > 1:
        choices = " or ".join(f"{folder} --weights {name}" for folder in bundled)
        parsers.usage_error(f"weights of this name are bundled with several: {choices}")
    names = sorted({word for folder, _, words in manifests() if folder in known for word in words})
    if not bundled:
        parsers.choice("model", name, [*known, *names, "MODEL.keras"])
    return registry.find(bundled[0]), name
