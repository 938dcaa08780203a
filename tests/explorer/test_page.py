"""The page in one file: what is in it, and that it is what the decoder gives."""

import base64
import io
import json
import re

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


def test_nothing_is_loaded_from_elsewhere(model, tmp_path):
    export_page(Explorer(model), tmp_path / "page.html", steps=2, title="<script>alert(1)</script>")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|@import|<link|src=", text.replace("image.src =", ""))
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
    MODELS["vae_bernoulli"].build().save("model.keras")
    main(["explore", "model.keras", "--export", "folder/page.html", "--controls", "2"])
    assert "written to folder/page.html" in capsys.readouterr().out
    assert len(content_of(tmp_path / "folder/page.html")["controls"]) == 2


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
