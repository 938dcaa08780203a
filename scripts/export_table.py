"""Exports the encoder and decoder of each kind of model, and compares what the files compute.

    KERAS_BACKEND=tensorflow python scripts/export_table.py [MODEL ...]

prints a row for each model: the largest difference between the outputs of Keras and of the file in
onnxruntime, TensorFlow (SavedModel), LiteRT's interpreter or `torch.export`. It needs these
packages; a format that the backend or the machine does not have is named with the reason.
"""

import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import keras
import numpy as np
from keras import ops, tree
from model_table import MODELS
from tiny_networks import IMAGES

N, LABELS = 2, np.array([1, 3], "int32")
BACKEND = keras.backend.backend()
FORMATS = {
    "tensorflow": ("onnx", "tf_saved_model", "litert"),
    "jax": ("onnx", "tf_saved_model"),
    "torch": ("onnx", "torch"),
}[BACKEND]
SUFFIXES = {"onnx": ".onnx", "tf_saved_model": "", "litert": ".tflite", "torch": ".pt2"}


def numbers(outputs):
    return [np.asarray(ops.convert_to_numpy(x)) for x in tree.flatten(outputs)]


def of_onnx(path, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    names = [entry.name for entry in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def of_saved_model(path, inputs):
    import tensorflow as tf

    loaded = tf.saved_model.load(path)  # It holds the variables.
    inputs = [tf.constant(x) for x in inputs]
    return numbers(loaded.serve(inputs if len(inputs) > 1 else inputs[0]))


def of_litert(path, inputs):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    runner = interpreter.get_signature_runner()
    # Names of the signature are those of the arguments, in alphabetical order of their keys.
    entries = runner.get_input_details()
    given = {}
    for name, entry in entries.items():
        fitting = [x for x in inputs if x.dtype == entry["dtype"]]
        given[name] = fitting[0]
    outputs = runner(**given)
    return [outputs[name] for name in sorted(outputs)]


def of_torch(path, inputs):
    import torch

    program = torch.export.load(path).module()
    given = [torch.from_numpy(x) for x in inputs]
    return [
        x.detach().numpy() for x in tree.flatten(program(given if len(given) > 1 else given[0]))
    ]


READERS = {
    "onnx": of_onnx,
    "tf_saved_model": of_saved_model,
    "litert": of_litert,
    "torch": of_torch,
}


def difference(part, inputs, expected, file_format, folder):
    """The largest difference as text, or why there is none."""
    path = str(Path(folder) / f"{part.name}{SUFFIXES[file_format]}")
    try:
        options = {}
        if file_format == "torch":  # Its programs are of one batch size.
            specs = [keras.InputSpec(shape=x.shape, dtype=str(x.dtype)) for x in inputs]
            options["input_signature"] = [specs] if len(specs) > 1 else specs
        part.export(path, format=file_format, verbose=False, **options)
        found = READERS[file_format](path, inputs)
    except Exception as error:  # Each package has kinds of its own.
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:60]}"
    # Formats that give outputs an order of their own are compared by shape and closeness.
    worst = 0.0
    for wanted in expected:
        same = [x for x in found if x.shape == wanted.shape]
        worst = max(worst, min((float(np.abs(x - wanted).max()) for x in same), default=np.inf))
    return f"{worst:.0e}"


def main():
    warnings.filterwarnings("ignore")
    seen = set()
    print(f"| {BACKEND} | part | {' | '.join(FORMATS)} |")
    print("|---|---|" + "---|" * len(FORMATS))
    for name, row in MODELS.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        model = row.build()
        kind = (type(model).__name__, getattr(model, "labels", None) is not None)
        if kind in seen:
            continue
        seen.add(kind)
        title = kind[0] + (" with labels" if kind[1] else "")
        codes = ops.convert_to_numpy(model.space.sample(N, seed=0))
        parts = [("decoder", model.decoder_model(), model.decode, codes)]
        if hasattr(model, "encoder_model"):
            try:
                parts.append(("encoder", model.encoder_model(), model.encode, IMAGES[:N]))
            except (ValueError, RuntimeError) as error:
                print(f"| {title} | encoder: {type(error).__name__} |", flush=True)
        for label, part, method, x in parts:
            inputs = [x, LABELS] if isinstance(part.input, list) else [x]
            expected = numbers(method(*inputs))
            with tempfile.TemporaryDirectory() as folder:
                cells = [difference(part, inputs, expected, f, folder) for f in FORMATS]
            print(f"| {title} | {label} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
