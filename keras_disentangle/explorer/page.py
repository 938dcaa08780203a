"""A page to send around: one file with frames of each latent, computed in advance."""

import base64
import html
import json
from importlib import resources

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._files import write_whole
from keras_disentangle.visualization.files import encode_png


def export_page(explorer, path, point=None, *, steps=25, title="Latents"):
    """Writes a page that shows what each latent does, as one HTML file without a server.

    Each control has a slider, which moves it alone from `point`. Its frames are in the file, as
    PNG, so that the page needs no network and no other file.

    Args:
        explorer: the `Explorer`.
        path: the file to write, `.html`; missing folders are created.
        point: the `Point` to start from, by default `explorer.start()`.
        steps: number of values of a continuous latent, >= 2.
        title: heading of the page.

    Raises:
        ValueError: if `path` does not end in .html or cannot be written; nothing is left there.

    Example:

    >>> kd.explorer.export_page(kd.explorer.Explorer(model), "page.html")
    """
    if not str(path).endswith((".html", ".htm")):
        raise ValueError(f"`path` must end in .html. Received: path={path!r}")
    steps = check_int("steps", steps, minimum=2)
    point = explorer.start() if point is None else point
    content = {"controls": [_control(explorer, point, c, steps) for c in explorer.controls]}
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


def _control(explorer, point, control, steps):
    values = page_values(explorer, point, control, steps)
    images = explorer.traversal(point, control.name, values)
    title = control.name
    if control.name in explorer.information:
        factor, share = explorer.information[control.name]
        title = f"{control.name} ({factor}, {100 * share:.0f}%)"
    return {
        "name": title,
        "group": control.group,
        "texts": [control.text(value) for value in values],
        "start": values.index(control.read(point)),
        # One below the other, in one PNG.
        "frames": _url(np.concatenate(images)),
    }


def _url(image):
    return f"data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}"
