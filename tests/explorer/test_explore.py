"""The server: what it refuses, and what its callbacks give. `scripts/explorer_check.py` drives the
page in a browser."""

import importlib.util
import re
import socket
import sys
import types
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from model_table import MODELS
from PIL import Image
from tiny_networks import IMAGES

import keras_disentangle as kd
from keras_disentangle._extras import install
from keras_disentangle.explorer import Explorer

pytestmark = pytest.mark.one_backend


@pytest.fixture(scope="module")
def model():
    return MODELS["vae_bernoulli"].build()


def test_a_missing_extra_is_named(model, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "gradio" else found(name)
    )
    with pytest.raises(ImportError, match=re.escape(install("explore"))):
        kd.explore(model)


def test_a_port_in_use_is_refused(model, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"`port` must be free, .* Received: port={port}"):
            kd.explore(model, port=port)
    for port in (0, 70_000, "x"):
        with pytest.raises(ValueError, match="`port` must be"):
            kd.explore(model, port=port)
    with pytest.raises(ValueError, match="`share` must be"):
        kd.explore(model, share="yes")


@pytest.mark.extra("gradio")
def test_callbacks(model, tmp_path):
    from keras_disentangle.explorer import _blocks

    page = _blocks._Page(Explorer(model, IMAGES), "model = load()")
    explorer = page.explorer
    a, b = explorer.of_number(0), explorer.of_number(1)
    moved, image, code = page.move("z2", a, 2.5)
    assert explorer.control("z2").read(moved) == 2.5
    assert "data:image/png;base64," in image and "model = load()" in code
    # What is uploaded is removed, whatever it was; what was read of it is shown.
    upload = page._told(page.uploaded, page.show_b)
    for name, content, is_right in (("a.png", None, True), ("b.png", b"broken", False)):
        path = tmp_path / name / name
        path.parent.mkdir()
        if content is None:
            Image.fromarray(explorer.data_images([5])[0, ..., 0]).save(path)
        else:
            path.write_bytes(content)
        found = upload(b, str(path))
        assert not path.exists() and not path.parent.exists()
        if is_right:
            point, message, original, _ = found
            assert message == "" and (point.code != b.code).any()
            assert original == _blocks.original(explorer.data_images([5])[0])
        else:
            assert list(found) == [page.message] and "PNG" in found[page.message]
    point, _, original, *_ = page._told(page.swap_points, page.show_a)(a, b, ["z1"])
    np.testing.assert_array_equal(point.code, [b.code[0], *a.code[1:]])
    assert original == ""
    found = page._told(page.numbered, page.show_a)(a, 99)
    assert "`number` must lie in 0..15" in found[page.message]
    assert page._told(page.drawn, page.show_b)(b)[2] == ""


@pytest.mark.extra("gradio")
def test_it_is_served_to_this_machine_alone(model):
    blocks = kd.explore(model, wait=False)
    try:
        assert blocks.local_url.startswith("http://127.0.0.1:") and blocks.share_url is None
        assert not blocks.analytics_enabled
        listening = [c for c in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in c]
        port = int(blocks.local_url.rstrip("/").rpartition(":")[2])
        ours = [c.split()[1] for c in listening if c.split()[1].endswith(f":{port:04X}")]
        assert ours == [f"0100007F:{port:04X}"]  # 127.0.0.1
    finally:
        blocks.close()


@pytest.mark.extra("gradio")
def test_a_notebook_goes_on_below_the_page(model, monkeypatch, capsys):
    # What Gradio knows a notebook by, without one; `scripts/explorer_check.py` runs a real one.
    shown = []
    ipython, display = types.ModuleType("getipython"), types.ModuleType("display")
    ipython.get_ipython = object
    display.HTML = display.Javascript = str
    display.display = shown.append
    monkeypatch.setitem(sys.modules, "IPython.core.getipython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(sys, "ps1", "In : ", raising=False)
    pages = [kd.explore(model), kd.explore(model)]
    try:
        assert pages[0].local_url != pages[1].local_url
        for page, html in zip(pages, shown, strict=True):
            assert f'<iframe src="{page.local_url}"' in html
            assert urllib.request.urlopen(page.local_url, timeout=20).status == 200
            assert page._ipython_display_() is None
    finally:
        for page in pages:
            page.close()
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(pages[0].local_url, timeout=20)
