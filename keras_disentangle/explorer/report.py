"""A report on a trained model: what it makes, what its latents do, its scores, in one file."""

import base64
import contextlib
import html
import json
from importlib import resources

import keras
import numpy as np

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle._files import replacing
from keras_disentangle._tensors import to_numpy
from keras_disentangle.evaluation import check_settings, evaluate
from keras_disentangle.explorer.explorer import Explorer
from keras_disentangle.metrics import hessian_diagonality
from keras_disentangle.schedules import read
from keras_disentangle.visualization import image_grid, information_matrix, reconstruction_grid
from keras_disentangle.visualization.files import encode_png

_MOST = 100  # images in a row, or rows of a picture
_LONGEST = 200  # characters of a setting that is shown


def report(
    model,
    data=None,
    path="report.html",
    *,
    title=None,
    metrics=None,
    num_samples=1000,
    num_votes=200,
    num_images=8,
    max_latents=12,
    steps=9,
    seed=0,
):
    """Writes a report on a trained model, as one HTML file with all pictures in it.

    It shows what applies to the model: traversals and a table of its latents, which share of each
    factor they tell about, reconstructions, samples, scores, and the settings of the model. It
    opens from the disk, prints, and loads nothing. Scores of so few images are rough:
    `kd.evaluate` measures with more.

    Args:
        model: a VAE, GAN, model of directions or another, as in `kd.explorer.Explorer`.
        data: `None`; images (n, h, w, c), uint8 or floats in [0, 1]; or a `FactorDataset` or
            `LabelledImages` of 100 images or more, for which there are scores.
        path: the file to write, `.html`; missing folders are created.
        title: heading of the page, by default the name of the model's class.
        metrics: as in `kd.evaluate`: by default MIG, MIG-sup, FactorVAE and the information.
        num_samples: number of images that are encoded for the scores, at least 100.
        num_votes: training votes of FactorVAE.
        num_images: number of images in a row of samples and reconstructions, at most 100.
        max_latents: how many latents are shown, those that tell or do most first, at most 100.
        steps: number of values of a continuous latent, from 2 to 100.
        seed: of all that is drawn.

    Raises:
        ValueError: before anything is computed, if `path` does not end in .html or cannot be
            written, or a number is out of range; as `Explorer`, if the model has no decoder, its
            latents are not vectors, or data do not fit it. Nothing is left at `path` then.

    Example:

    >>> kd.visualization.report(model, images, "report.html")
    """
    if not str(path).endswith((".html", ".htm")):
        raise ValueError(f"`path` must end in .html. Received: path={path!r}")
    title = type(model).__name__ if title is None else str(title)
    num_samples = check_int("num_samples", num_samples, minimum=100)
    num_images = check_int("num_images", num_images, maximum=_MOST)
    steps = check_int("steps", steps, minimum=2, maximum=_MOST)
    max_latents = check_int("max_latents", max_latents, maximum=_MOST)
    seed = check_seed("seed", seed, optional=False)
    settings = {"metrics": metrics, "num_samples": num_samples, "num_votes": num_votes}
    if hasattr(data, "factors"):
        check_settings(data, **settings)
    with contextlib.ExitStack() as stack:
        try:
            # Opened before anything is computed.
            temporary = stack.enter_context(replacing(path))
            file = stack.enter_context(open(temporary, "w", encoding="utf-8"))
        except OSError as error:
            raise ValueError(
                f"`path` must be a file that can be written. Received: path={path!r} ({error})"
            ) from error
        explorer = Explorer(
            model, data, max_controls=max_latents, num_images=num_samples, seed=seed
        )
        parts = [
            *_latents(explorer, steps),
            *_images(explorer, num_images, seed),
            *_scores(explorer, model, data, {**settings, "seed": seed}),
            ("Settings", _table(_settings(explorer, model))),
        ]
        sections = "\n".join(
            f"<section>\n<h2>{html.escape(name)}</h2>\n{content}\n</section>"
            for name, content in parts
        )
        template = resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8")
        page = template.replace("{{title}}", html.escape(title))
        file.write(page.replace("{{sections}}", sections))


# Parts: pairs of a heading and HTML.


def _latents(explorer, steps):
    (start, number), _ = explorer.first_points()
    if number is not None:
        where = f"image {number} of the data"
    else:
        where = "the middle of the latent space" if explorer.is_encoder else "a random point"
    told = "Each row moves one latent and leaves the others as they are in " + where + "."
    yield "Traversals", _text(told) + _picture(explorer.traversals(start, steps), "traversals")
    rows = [("latent", "activeness", *explorer.factor_names * bool(explorer.shares))]
    for control in explorer.controls:
        active = explorer.activeness.get(control.name)
        shares = explorer.shares.get(control.name, ())
        rows.append(
            (
                control.name,
                "" if active is None else f"{active:.3g}",
                *(f"{100 * share:.0f}%" for share in shares),
            )
        )
    told = "Activeness is the variance of pixels in [0, 1] as the latent alone changes."
    yield "Latents", _text(told) + _table(rows)
    if explorer.shares:
        names = [c.name for c in explorer.controls if c.name in explorer.shares]
        shares = np.stack([explorer.shares[name] for name in names])
        told = "Which share of each factor's entropy a latent tells about: 1 is all of it."
        picture = information_matrix(shares, explorer.factor_names, names=names)
        yield "Information", _text(told) + _picture(picture, "information matrix")


def _images(explorer, number, seed):
    has_labels = explorer.start().label is not None
    if explorer.num_images and not has_labels:  # Labels of the images are not known.
        found = min(2 * number, explorer.num_images)
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(explorer.num_images, found, replace=False))
        made = explorer.images([explorer.of_number(int(index)) for index in chosen])
        picture = reconstruction_grid(explorer.data_images(chosen), made, number)
        yield "Reconstructions", _picture(picture, "images above their reconstructions")
    names = None
    points = [
        explorer.sample(seed + index) for index in range(number if has_labels else 4 * number)
    ]
    if any(control.name == "class" for control in explorer.controls):
        # A row for each class, of the same codes.
        names = explorer.control("class").choices
        classes = range(len(names))
        points = [explorer.moved(point, "class", k) for k in classes for point in points]
    picture = image_grid(explorer.images(points), number, row_labels=names)
    yield "Samples", _text("Drawn from the prior.") + _picture(picture, "samples")


def _scores(explorer, model, data, settings):
    scores, told = {}, ""
    # An encoder that takes labels would need those of the images.
    if explorer.shares and explorer.start().label is None:
        scores = evaluate(model, data, **settings)
        told = "Codes of {num_samples:,} images; FactorVAE by {num_votes:,} votes.".format(
            **settings
        )
    rows = [(name, _numbers(value)) for name, value in scores.items()]
    controls = [c for c in explorer.controls if c.choices is None and c.component is not None]
    if len(controls) > 1:
        codes = to_numpy("codes", explorer.space.sample(4, settings["seed"]))
        directions = explorer.directions(controls)
        found = hessian_diagonality(
            explorer.decode, codes, min_curvature=1e-4, directions=directions
        )
        rows += [
            (
                "D%: Hessians with the largest entry on the diagonal",
                _numbers(found["max_on_diagonal"]),
            ),
            ("D_R: diagonal over other entries, all pixels", _numbers(found["pooled_ratio"])),
        ]
        told += " Hessians along the latents above, at 4 random points."
    if rows:
        yield "Scores", _text(told.strip()) + _table([("score", "value"), *rows])


def _settings(explorer, model):
    """The model in a few words, and the settings with which it can be made."""
    yield "setting", "value"
    yield "class", type(model).__name__
    yield "images", " × ".join(map(str, explorer.image_shape))
    yield "codes", ", ".join(map(repr, explorer.space.codes))
    if isinstance(model, keras.Model):
        yield "weights", f"{model.count_params():,}"
        yield "Keras", f"{keras.__version__} with {keras.backend.backend()}"
        step, ramps = read(getattr(model, "step", 0)), getattr(model, "ramps", {})
        if step:
            yield "steps", f"{step:,}"
        config = model.get_config()
        for name, value in config.items():
            text = _words(value)
            if name != "space" and name not in ramps and text is not None:
                yield name, text
        # Weights as they are now: a ramp may have moved them, or not yet.
        for name, ramp in ramps.items():
            now, first = read(ramp(step)), config.get(name)
            differs = isinstance(first, (int, float)) and not np.isclose(now, first)
            yield name, f"{now:.4g} (made with {first:.4g})" if differs else f"{now:.4g}"


def _words(value):
    """A setting as text; `None` for one of many parts, such as a network."""
    if isinstance(value, dict) and "class_name" in value:
        inner = value.get("config")
        shown = {k: _words(v) for k, v in inner.items()} if isinstance(inner, dict) else {}
        if None in shown.values():
            return None
        value = f"{value['class_name']}({', '.join(f'{k}={v}' for k, v in shown.items())})"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else None


# HTML.


def _text(words):
    return f"<p>{html.escape(words)}</p>\n"


def _table(rows):
    head, *rows = rows
    cells = ["".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows]
    head = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in head)
    body = "\n".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _picture(picture, about):
    content = base64.b64encode(encode_png(picture)).decode()
    return f'<img alt="{html.escape(about)}" src="data:image/png;base64,{content}">'


def _numbers(value):
    """A number, or a list of them, in one cell."""
    return " ".join(f"{number:.4g}" for number in np.ravel(value))
