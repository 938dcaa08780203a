"""The report: what is in it for each kind of model, and what it is refused for."""

import base64
import io
import os
from html.parser import HTMLParser

import numpy as np
import pytest
from model_table import MODELS
from PIL import Image
from tiny_networks import IMAGES

from keras_disentangle.__main__ import main
from keras_disentangle.datasets import ArrayFactorDataset
from keras_disentangle.visualization import report

pytestmark = pytest.mark.one_backend

HALVES = slice(0, 4), slice(4, 8)


class Halves:
    """Two latents, each of which brightens one half of the image: a decoder, and its inverse."""

    latent_dim, image_shape = 2, (8, 8, 1)

    def decode(self, z):
        images = np.full((len(z), 8, 8, 1), 0.5, "float32")
        for part, row in zip(HALVES, np.asarray(z).T, strict=True):
            images[:, part] += row[:, None, None, None] / 8
        return images

    def encode(self, x):
        return np.stack([8 * (x[:, part].mean(axis=(1, 2, 3)) - 0.5) for part in HALVES], axis=1)


class Page(HTMLParser):
    """The parts of a report: for each heading its pictures, by their text, and rows of cells."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.parts, self.rows, self.text = [], {}, {}, ""
        self.open, self.part = [], None
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open  # Each tag is closed.

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.text = ""
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "img":
            found = dict(attributes)
            kind, content = found["src"].split(",")
            assert kind == "data:image/png;base64"
            image = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
            self.parts[self.part][found["alt"]] = image
        if tag == "tr":
            self.rows[self.part].append([])

    def handle_data(self, data):
        self.text += data

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "h2":
            self.part = self.text
            self.parts[self.part], self.rows[self.part] = {}, []
        if tag in ("td", "th"):
            self.rows[self.part][-1].append(self.text)


@pytest.fixture(scope="module")
def data():
    levels = np.linspace(-3, 3, 10, dtype="float32")
    codes = np.stack(np.meshgrid(levels, levels, indexing="ij"), axis=-1).reshape(-1, 2)
    images = np.rint(255 * Halves().decode(codes)).astype("uint8")
    return ArrayFactorDataset(images, (10, 10), ("top", "bottom"))


def test_a_model_with_factors_has_every_part(data, tmp_path):
    path = tmp_path / "new" / "report.html"
    report(Halves(), data, path, title="a <b> & c", metrics=["mig", "mcc"], steps=3, num_images=4)
    assert os.listdir(path.parent) == ["report.html"]
    page = Page(path)
    assert "&lt;b&gt; &amp; c</h1>" in path.read_text() and "script" not in page.tags
    assert "http" not in path.read_text()  # Nothing is loaded.
    names = ["Traversals", "Latents", "Information", "Reconstructions", "Samples", "Scores"]
    assert list(page.parts) == [*names, "Settings"]
    assert [len(page.parts[name]) for name in page.parts] == [1, 0, 1, 1, 1, 0, 0]
    # Two latents at three values, of images 96 pixels high.
    grey = page.parts["Traversals"]["traversals"]
    assert grey.shape[0] > 2 * 97 and grey.shape[1] > 3 * 97
    latents = page.rows["Latents"]
    assert latents[0] == ["latent", "activeness", "top", "bottom"]
    assert [row[0] for row in latents[1:]] == ["z1", "z2"]
    shares = np.array([[int(cell.rstrip("%")) for cell in row[2:]] for row in latents[1:]])
    assert (shares.diagonal() > 90).all() and (shares[[0, 1], [1, 0]] < 10).all()
    pairs = page.parts["Reconstructions"]["images above their reconstructions"][:, -4 * 97 - 1 :]
    for top in (1, 2 * 97 + 1 + 12 + 1):  # This model encodes without loss, but for rounding.
        above, below = pairs[top : top + 96], pairs[top + 97 : top + 97 + 96]
        assert np.abs(above.astype(int) - below).max() <= 1
    scores = dict(page.rows["Scores"][1:])
    assert 0.8 < float(scores["mig"]) <= 1 and float(scores["mcc"]) > 0.9
    assert ["images", "8 × 8 × 1"] in page.rows["Settings"]


@pytest.mark.parametrize(
    "name, data, parts",
    [
        ("progressive_ladder_vae", IMAGES, "TLRSCE"),
        ("info_gan", IMAGES, "TLRSCE"),
        ("progressive_gan", None, "TLSCE"),
        ("direction_discovery", None, "TLSCE"),
        ("conditional_gan", None, "TLSCE"),
        ("qlae", None, "TLSE"),  # Hessians need codes that move by small steps.
    ],
)
def test_each_kind_of_model_has_its_parts(name, data, parts, tmp_path):
    model = MODELS[name].build()
    if name == "progressive_ladder_vae":
        model.ramps["beta"].set(4.0, 1.0, 100, 100)
        model.step.assign(150)
    report(model, data, tmp_path / "report.html", steps=2, num_images=2, max_latents=3)
    page = Page(tmp_path / "report.html")
    names = {"T": "Traversals", "L": "Latents", "R": "Reconstructions", "S": "Samples"}
    names |= {"C": "Scores", "E": "Settings"}
    assert list(page.parts) == [names[part] for part in parts]
    settings = dict(page.rows["Settings"])
    assert settings["class"] == type(model).__name__
    assert settings["weights"] == f"{model.count_params():,}"
    if name == "progressive_ladder_vae":
        first = model.get_config()["beta"]
        assert settings["beta"] == f"2.5 (made with {first:.4g})" and settings["steps"] == "150"
        assert settings["alpha_1"] == "1"
    # Four rows, those of a conditional model its four classes.
    assert page.parts["Samples"]["samples"].shape[0] == 4 * 97 + 1


def nothing(*_):
    raise AssertionError("was computed")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"path": "report.pdf"}, r"`path` must end in .html. Received: path='report.pdf'"),
        ({"path": "file/report.html"}, "`path` must be a file that can be written"),
        ({"num_samples": 99}, "`num_samples` must be an integer >= 100"),
        ({"num_images": 0}, "`num_images` must be an integer >= 1"),
        ({"max_latents": 101}, "`max_latents` must be"),
        ({"steps": 1}, "`steps` must be an integer >= 2"),
        ({"seed": None}, "`seed` must be"),
        ({"metrics": ["no"]}, "`metrics` must be"),
        ({"num_votes": 0}, "`num_votes` must be"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_computed(
    arguments, message, data, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    model = Halves()
    model.decode = model.encode = nothing
    with pytest.raises(ValueError, match=message):
        report(model, data, **{"path": "report.html", **arguments})
    assert os.listdir() == ["file"]


class Sequences(Halves):
    def decode(self, z):
        return np.zeros((len(z), 8), "float32")


@pytest.mark.parametrize(
    "model, data, message",
    [
        (object(), None, "`model` must have a method `decode`"),
        (Sequences(), None, "`model`: latents must be vectors, and decoded to images"),
        (
            Halves(),
            IMAGES[:, :6],
            r"`data` must hold images of the model's shape",
        ),
    ],
)
def test_what_has_no_report_leaves_no_file(model, data, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        report(model, data, tmp_path / "report.html")
    assert not os.listdir(tmp_path)


def test_the_command_writes_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    MODELS["progressive_gan"].build().save("model.keras")
    main(["explore", "model.keras", "--report", "report.html"])
    assert "written to report.html" in capsys.readouterr().out
    assert "<title>ProgressiveGAN</title>" in (tmp_path / "report.html").read_text()
