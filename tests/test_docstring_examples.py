"""The examples in the docstrings of everything public run as they stand.

An example is what stands below `Example:`, after `>>>` or between ``` lines. It may assume

- `import keras`, `import numpy as np`, `from keras import layers, ops`,
  `import keras_disentangle as kd`, and the name that it explains;
- `images`, floats (32, 28, 28, 1) in [0, 1], and `data`, a grid of two factors that has them;
- `encoder` (images to mean and log variance of 4 dimensions), `decoder` (from 4 to logits),
  `generator` (from 4 to images), `discriminator` (to logits and features) and `model`, a compiled
  VAE;
- `classifier`, a frozen network on the images with the layers `norm_1` and `norm_2`;
- the files `data/mnist.npz`, `data/fashion_mnist.npz`, `edges2shoes/train/` and `photos.zip`,
  of few images.

Everything else it makes itself, in a folder of its own. Long trainings are cut short: 10 epochs
or more become 1, and `fit(steps=...)` has 2. Stated results are compared; numbers up to the digits
that are written, and shapes however a backend writes them.
"""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap
import zipfile
from importlib.util import find_spec

import keras
import numpy as np
import pytest

import keras_disentangle as kd

pytestmark = pytest.mark.one_backend
# What examples cannot have here, a file or a download: the error they end with names it.
ABSENT = {
    "applications.biggan.biggan.BigGAN": "biggan_128.weights.h5",
    "applications.biggan.biggan.BigGANDeep": "biggan_deep_256.weights.h5",
    "applications.biggan.convert.convert": "G_ema.pth",
    "datasets.cars3d.Cars3D": "car_…_mesh.mat",
    "datasets.dsprites.DSprites.from_file": "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
    "datasets.mpi3d.MPI3D": "mpi3d_toy.npz",
    "datasets.shapes3d.Shapes3D.from_file": "3dshapes.h5",
    "datasets.small_norb.SmallNORB": "small_norb",
    **({} if find_spec("gradio") else {"explorer.explore.explore": "[explore]"}),
    "layers.feature_network.FeatureNetwork.from_keras_cv": "vgg.weights.h5",
    "layers.feature_network.FeatureNetwork.from_keras_hub": "keras_hub",
    "metrics.feature_distance.feature_distance": "vgg16_weights",
    "metrics.image_features.ImageFeatures": "inception_v3_weights",
}
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d*)?(?:e[+-]?\d+)?")


class Checker(doctest.OutputChecker):
    """Compares results with the precision they are written in."""

    def check_output(self, want, got, flags):
        got = re.sub(r"(?:torch\.Size|TensorShape)\(\[(.*?)\]\)", r"(\1)", got)
        got = re.sub(r"(?<=\()(\d+)(?=\))", r"\1,", got)
        numbers = NUMBER.findall(want), NUMBER.findall(got)
        if len(numbers[0]) == len(numbers[1]):
            for wanted, found in zip(*numbers, strict=True):
                digits = len(wanted.partition(".")[2])
                if abs(float(wanted) - float(found)) > (0.51 * 10**-digits if digits else 0):
                    return False
            want, got = NUMBER.sub("0", want), NUMBER.sub("0", got)
        return super().check_output(want, got, flags)


def network(inputs, *layers):
    return keras.Sequential([keras.Input(inputs), *layers])


def decoding(activation=None):
    layers = keras.layers.Dense(784, activation), keras.layers.Reshape((28, 28, 1))
    return network((4,), *layers)


def encoding(units, **arguments):
    return network((28, 28, 1), keras.layers.Flatten(), keras.layers.Dense(units, **arguments))


def make_images():
    return np.random.default_rng(0).random((32, 28, 28, 1), "float32")


def make_data():
    images = np.round(255 * make_images()).astype("uint8")
    return kd.datasets.ArrayFactorDataset(images, (4, 8), ("shape", "size"))


def make_discriminator():
    network = encoding(1)
    return keras.Model(network.inputs, [network.outputs[0], network.layers[0].output])


def make_classifier():
    norms = (keras.layers.BatchNormalization(name=f"norm_{i}") for i in (1, 2))
    layers = [keras.layers.Flatten(), keras.layers.Dense(8), next(norms)]
    classifier = network((28, 28, 1), *layers, keras.layers.Dense(3), next(norms))
    classifier.trainable = False
    return classifier


def make_model():
    model = kd.models.VAE(encoding(8), decoding())
    model.compile("adam")
    return model


STAND_INS = {
    "images": make_images,
    "data": make_data,
    "encoder": lambda: encoding(8),
    "decoder": decoding,
    "generator": lambda: decoding("sigmoid"),
    "discriminator": make_discriminator,
    "classifier": make_classifier,
    "model": make_model,
}


def examples_of(docstring):
    """Source and stated result of each step, or None without an example."""
    steps = doctest.DocTestParser().get_examples(docstring or "")
    if steps:
        return [(step.source, step.want) for step in steps]
    docstring = inspect.cleandoc(docstring or "")
    blocks = re.findall(r"```(?:python)?\n(.*?)```", docstring, re.DOTALL)
    if not blocks:
        blocks = re.findall(r"^Examples?:\n((?:\n|    .*\n?)+)", docstring, re.MULTILINE)
    return [(textwrap.dedent(block).strip() + "\n", "") for block in blocks]


def collect():
    """(where, names it may use, steps) of every example."""
    modules = [kd, *walk(kd)]
    for module in modules:
        found = [(module.__name__, module, {})]
        for name, value in vars(module).items():
            defined_here = getattr(value, "__module__", None) == module.__name__
            if name.startswith("_") or not defined_here or not callable(value):
                continue
            found.append((f"{module.__name__}.{name}", value, {name: value}))
            for member, method in vars(value).items() if inspect.isclass(value) else ():
                method = getattr(method, "__func__", method)
                explained = inspect.isfunction(method) or isinstance(method, property)
                if explained and not member.startswith("_"):
                    found.append((f"{module.__name__}.{name}.{member}", method, {name: value}))
        for where, value, names in found:
            if steps := examples_of(value.__doc__):
                yield pytest.param(names, steps, id=where.removeprefix("keras_disentangle."))


def make_files(folder):
    (folder / "data").mkdir()
    images = np.round(255 * make_images()).astype("uint8")
    labels = np.arange(len(images)) % 10
    split = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    for name in ("mnist", "fashion_mnist"):
        np.savez(folder / "data" / f"{name}.npz", **split)
    pairs = np.repeat(np.concatenate([images, images], axis=2), 3, axis=3)
    for i in range(3):
        kd.visualization.save_png(folder / f"edges2shoes/train/{i}.png", pairs[i])
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for path in folder.glob("edges2shoes/train/*.png"):
            for i in range(11):  # more than a batch
                archive.write(path, f"{i}_{path.name}")


def no_download(name, *args, **kwargs):
    raise OSError(f"No download of {name}")


def walk(package):
    """The modules below, without the commands that need more than the library installs."""
    found = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    return [importlib.import_module(module.name) for module in found]


def shortened(source):
    source = re.sub(r"\bepochs=\d\d+", "epochs=1", source)
    return re.sub(r"\bfit\(steps=\d+", "fit(steps=2", source)


def run(names, steps):
    namespace = {"keras": keras, "layers": keras.layers, "ops": keras.ops, "np": np, "kd": kd}
    namespace.update(names)
    used = {n.id for source, _ in steps for n in ast.walk(ast.parse(source)) if hasattr(n, "id")}
    namespace.update({name: make() for name, make in STAND_INS.items() if name in used})
    for source, want in steps:
        tree, value = ast.parse(shortened(source)), None
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "example", "exec"), namespace)
        if last:
            value = eval(compile(ast.Expression(last.value), "example", "eval"), namespace)
        if want:
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            got = "" if value is None else f"{value!r}\n"
            assert Checker().check_output(want, got, flags), f"{source}states {want}gives {got}"


EXAMPLES = list(collect())


def test_public_names_have_examples():
    shown = {where.id.rpartition(".")[2] for where in EXAMPLES}
    packages = [getattr(kd, name) for name in kd.__all__]
    names = {name for package in packages for name in getattr(package, "__all__", ())}
    assert len(names) > 100
    # Tables of names, and a base that is used by its subclasses.
    assert names - shown == {"METRICS", "OBJECTIVES", "VariationalModel"}


@pytest.mark.parametrize("names, steps", EXAMPLES)
def test_runs(names, steps, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", no_download)
    for package in ("tensorflow_datasets", "keras_hub"):  # They download.
        monkeypatch.setitem(sys.modules, package, None)
    make_files(tmp_path)
    absent = ABSENT.get(request.node.callspec.id)
    if absent:
        with pytest.raises((ValueError, OSError, ImportError), match=re.escape(absent)):
            run(names, steps)
    else:
        run(names, steps)


@pytest.mark.parametrize(
    "want, got, alike",
    [
        ("(8, 3)", "torch.Size([8, 3])", True),
        ("(8,)", "TensorShape([8])", True),
        ("(8, 3)", "(8, 4)", False),
        ("0.5", "0.50002", True),
        ("0.5", "0.6", False),
        ("[1, ...]", "[1, 2, 3]", True),
    ],
)
def test_results_are_compared(want, got, alike):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert Checker().check_output(f"{want}\n", f"{got}\n", flags) == alike
