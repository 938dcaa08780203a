"""A page to send around: one file, with frames of each latent or with the decoder itself."""

import base64
import gzip
import html
import json
import tempfile
import warnings
from importlib import resources
from pathlib import Path

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._files import write_whole
from keras_disentangle.visualization.files import encode_png

_BUNDLE, _BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"


def export_page(explorer, path, point=None, *, steps=25, title="Latents", runtime=None):
    """Writes a page that shows what each latent does, as one HTML file without a server.

    Each control has a slider. By default it is moved alone from `point`, and its frames are in the
    file, as PNG. With `runtime` the file holds the decoder as ONNX, and what runs it in the browser
    (about 6 MB), so that latents are moved jointly. Either page needs no network and no other file.

    Args:
        explorer: the `Explorer`.
        path: the file to write, `.html`; missing folders are created.
        point: the `Point` to start from, by default the first of `explorer.first_points()`.
        steps: number of values of a continuous latent, >= 2.
        title: heading of the page.
        runtime: `None`, or the folder `dist` of the npm package onnxruntime-web
            (`npm pack onnxruntime-web`). Needs the extra `export`.

    Raises:
        ValueError: if `path` does not end in .html or cannot be written; nothing is left there; if
            the runtime lacks a file, or the model cannot be exported.
        ImportError: if a package is missing that Keras exports ONNX with.

    Example:

    >>> kd.explorer.export_page(kd.explorer.Explorer(model), "page.html")
    """
    if not str(path).endswith((".html", ".htm")):
        raise ValueError(f"`path` must end in .html. Received: path={path!r}")
    steps = check_int("steps", steps, minimum=2)
    point = explorer.first_points()[0][0] if point is None else point
    content = {"live": None if runtime is None else _live(explorer, point, runtime)}
    content["controls"] = [
        _control(explorer, point, control, steps, runtime is None) for control in explorer.controls
    ]
    height, width, _ = explorer.image_shape
    content |= {"height": height, "width": width, "start": _url(explorer.image(point))}
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    # `<` ends no script inside of JSON.
    data = json.dumps(content).replace("<", "\\u003c")
    text = template.replace("{{title}}", html.escape(title)).replace("{{data}}", data)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise ValueError(
            f"`path` must be a file that can be written. Received: path={path!r} ({error})"
        ) from error


def page_values(explorer, point, control, steps):
    """The values of a control in the page: those of its traversal, and its own."""
    values = control.values(steps)
    own = control.read(point)
    return values if control.choices is not None else sorted({*values, own})


def _control(explorer, point, control, steps, has_frames):
    values = page_values(explorer, point, control, steps)
    title = control.name
    if control.name in explorer.information:
        title = f"{control.name} ({explorer.about(control.name)})"
    found = {
        "name": title,
        "group": control.group,
        "texts": [control.text(value) for value in values],
        "start": values.index(control.read(point)),
    }
    if has_frames:
        # One below the other, in one PNG.
        images = explorer.traversal(point, control.name, values)
        return {**found, "frames": _url(np.concatenate(images))}
    moved = [control.write(point, value) for value in values]
    # Controls write to parts of their own, or along directions at right angles: changes add up.
    found["changes"] = [(p.code - point.code).tolist() for p in moved]
    if point.label is not None:
        labels = np.atleast_1d(point.label)
        found["label_changes"] = [(np.atleast_1d(p.label) - labels).tolist() for p in moved]
    return found


def _live(explorer, point, runtime):
    """The decoder, where it begins, and what runs it, each in base64."""
    network, files = explorer.network(), {}
    for name in (_BUNDLE, _BINARY):
        try:
            files[name] = (Path(runtime) / name).read_bytes()
        except OSError as error:
            raise ValueError(
                f"`runtime` must be the folder `dist` of onnxruntime-web, with {name}. "
                f"Received: runtime={str(runtime)!r}"
            ) from error
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing
        network.export(f"{folder}/decoder.onnx", format="onnx", verbose=False)
        files["decoder"] = Path(folder, "decoder.onnx").read_bytes()
    label = None
    if point.label is not None:
        label = {
            "values": np.atleast_1d(point.label).tolist(),
            "is_class": np.ndim(point.label) == 0,
        }
    return {
        "code": point.code.tolist(),
        "label": label,
        "decoder": _base64(files["decoder"]),
        "bundle": _base64(gzip.compress(files[_BUNDLE])),
        "binary": _base64(gzip.compress(files[_BINARY])),
    }


def _url(image):
    return f"data:image/png;base64,{_base64(encode_png(image))}"


def _base64(content):
    return base64.b64encode(content).decode()
