"""The page in one file: what is in it, and that it is what the decoder gives."""

import base64
import gzip
import io
import json
import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from model_table import MODELS
from PIL import Image

from keras_disentangle.__main__ import main
from keras_disentangle.explorer import Explorer, export_page

pytestmark = pytest.mark.one_backend


def decoded(url):
    assert url.startswith("data:image/png;base64,")
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))
    return image if image.ndim == 3 else image[..., None]


def content_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text)[1])


@pytest.fixture(scope="module")
def model():
    return MODELS["conditional_vae"].build()


def test_frames_are_what_the_decoder_gives(model, tmp_path):
    explorer = Explorer(model)
    point = explorer.sample(seed=1)
    export_page(explorer, tmp_path / "page.html", point, steps=4, title="a <b> & c")
    content = content_of(tmp_path / "page.html")
    height = content["height"]
    assert [c["name"] for c in content["controls"]] == [c.name for c in explorer.controls]
    for control, entry in zip(explorer.controls, content["controls"], strict=True):
        frames = decoded(entry["frames"]).reshape(-1, height, *explorer.image_shape[1:])
        # Its own value comes between those of the traversal.
        number = len(control.choices) if control.choices else 4 + 1
        assert len(frames) == len(entry["texts"]) == number
        np.testing.assert_array_equal(frames[entry["start"]], decoded(content["start"]))
        values = list(range(number))
        if control.choices is None:
            values = sorted([*control.values(4), control.read(point)])
        for frame, value in zip(frames, values, strict=True):
            moved = explorer.moved(point, control.name, value)
            image = model.decode(moved.code[None], labels=[int(moved.label)])
            image = keras.ops.convert_to_numpy(image)[0]
            assert np.abs(frame / 255 - image).max() < 1 / 255


@pytest.fixture
def runtime(tmp_path):
    """A folder with the names of the files that run a decoder; a browser is not needed here."""
    for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"):
        (tmp_path / "dist" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "dist" / name).write_bytes(name.encode())
    return tmp_path / "dist"


@pytest.mark.parametrize("name", ["conditional_vae", "info_gan", "direction_discovery"])
def test_changes_of_all_controls_add_up(name, runtime, tmp_path, monkeypatch):
    exported = []
    monkeypatch.setattr(
        keras.Model, "export", lambda self, path, **_: exported.append(Path(path).write_bytes(b"x"))
    )
    explorer = Explorer(MODELS[name].build())
    point = explorer.sample(seed=0)
    export_page(explorer, tmp_path / "page.html", point, steps=3, runtime=runtime)
    content = content_of(tmp_path / "page.html")
    live, moved = content["live"], point
    code, label = np.array(live["code"]), live["label"] and np.array(live["label"]["values"])
    assert exported and base64.b64decode(live["decoder"]) == b"x"
    assert gzip.decompress(base64.b64decode(live["bundle"])) == b"ort.wasm.bundle.min.mjs"
    for control, entry in zip(explorer.controls, content["controls"], strict=True):
        number = len(entry["texts"]) - 1  # the slider at its end
        moved = explorer.moved(moved, control.name, number if control.choices else control.high)
        code = code + entry["changes"][number]
        label = None if label is None else label + entry["label_changes"][number]
        assert "frames" not in entry
    np.testing.assert_allclose(code, moved.code, atol=1e-5)
    assert label is None or label.tolist() == [moved.label]


def test_what_a_page_with_its_decoder_needs(model, runtime, tmp_path):
    (runtime / "ort-wasm-simd-threaded.wasm").unlink()
    with pytest.raises(ValueError, match="`runtime` must be .*, with ort-wasm-simd-threaded.wasm"):
        export_page(Explorer(model), tmp_path / "page.html", runtime=runtime)

    class Decoder:
        latent_dim = 2

        def decode(self, z):
            return np.zeros((len(z), 4, 4, 1), "float32")

    with pytest.raises(ValueError, match="`runtime` must be None .* Received: Decoder"):
        export_page(Explorer(Decoder()), tmp_path / "page.html", runtime=runtime)
    assert not (tmp_path / "page.html").exists()


def test_nothing_is_loaded_from_elsewhere(model, tmp_path):
    export_page(Explorer(model), tmp_path / "page.html", steps=2, title="<script>alert(1)</script>")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|[\"'(]//|@import|<link|src=", text)
    assert "<script>alert" not in text and "{{" not in text


def test_where_it_cannot_be_written_nothing_is_left(model, tmp_path):
    explorer = Explorer(model)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="`path` must be a file that can be written. Received:"):
        export_page(explorer, tmp_path / "file" / "page.html", steps=2)
    with pytest.raises(ValueError, match="`path` must end in .html. Received: "):
        export_page(explorer, tmp_path / "page.png")
    with pytest.raises(ValueError, match="`steps` must be"):
        export_page(explorer, tmp_path / "page.html", steps=1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_command_writes_a_page(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = MODELS["vae_bernoulli"].build()
    model.save("model.keras")
    np.savez("data.npz", images=np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1), "uint8"))
    page = tmp_path / "folder/page.html"
    words = ["explore", "model.keras", "--controls", "2", "--export", "folder/page.html"]
    main([*words, "--data", "data.npz"])
    assert "written to folder/page.html" in capsys.readouterr().out
    # Of data, it begins with the same image as the page that is served and the report.
    explorer = Explorer(model, np.load("data.npz")["images"])
    (point, _), _ = explorer.first_points()
    content = content_of(page)
    np.testing.assert_array_equal(decoded(content["start"]), explorer.image(point))
    assert len(content["controls"]) == 2 and "<h1>VAE</h1>" in page.read_text()
    # Files of runs are all called alike.
    for name, title in ((".", "VAE"), ("faces", "faces")):
        os.makedirs(name, exist_ok=True)
        os.replace("model.keras", f"{name}/model.keras")
        if name == "faces":
            Path("faces/run.json").write_text("{}")
        words[1] = f"{name}/model.keras"
        main(words)
        assert f"<h1>{title}</h1>" in page.read_text()
    start = explorer.image(explorer.start())
    np.testing.assert_array_equal(decoded(content_of(page)["start"]), start)


@pytest.mark.parametrize(
    "words, message",
    [
        (["nothing"], "the model must be one of: .*provlae.*dsprites.*; not 'nothing'"),
        (["mnist"], "with several: direction_discovery --weights mnist or info_gan"),
        (["provlae", "--weights", "mnist"], "the weights must be one of: dsprites, shapes3d"),
        (["provlae", "--pott", "1"], "unknown --pott 1; there are: .*--port"),
    ],
)
def test_the_command_says_what_there_is(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["explore", *words])
    assert ended.value.code == 2
    assert re.search(message, capsys.readouterr().err)
