"""Drives the explorer's page, and a page that it wrote, in a real browser without a window.

    python scripts/explorer_check.py [NAME ...] [--shots FOLDER] [--runtime DIST]

needs the extra `explore`, Playwright (`pip install playwright`) and Chromium, whose path
`--chromium` says. For each model, a slider of each control must change the image; drawing,
uploading, swapping, strip, heat map and way must give pictures; what was encoded must be shown; a
broken file must give a message; no request may leave this machine, of the browser or of the server;
and the time in which a movement of a slider is answered is measured. The page in one file is opened
from the disk, with the network switched off, its sliders are moved by the mouse and the keyboard,
and its canvas is compared with the decoder. The name `notebook` runs cells in a notebook, with
nbclient and ipykernel. It ends with 1 if anything fails.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from PIL import Image

import keras_disentangle as kd
from keras_disentangle.explorer import Explorer, export_page

LOCAL = ("http://127.0.0.1:", "data:", "blob:", "file:")
CHANGED = "([part, old]) => { const e = document.querySelector(part); return e && e.src !== old }"
PATIENCE = 60_000  # milliseconds


def own_model(folder):
    """A network of a user's own, from its file."""
    stack = [keras.layers.Dense(12 * 12, "sigmoid"), keras.layers.Reshape((12, 12, 1))]
    keras.utils.set_random_seed(0)
    keras.Sequential([keras.Input((4,)), *stack]).save(folder / "own.keras")
    return keras.saving.load_model(folder / "own.keras"), None


def of_application(name, weights, data=None):
    def load(folder):
        return getattr(kd.applications, name)(weights=weights), data and data()

    return load


def progressive_gan(folder):
    from keras_disentangle.applications._shared.registry import find

    return find("progressive_gan").load("clevr_1fov"), None


def directions(folder):
    from keras_disentangle.applications._shared.registry import find

    return find("direction_discovery").load("mnist"), None


MODELS = {
    "ProVLAE": of_application("ProVLAE", "dsprites", lambda: kd.datasets.DSprites(32)),
    "InfoGAN": of_application("InfoGAN", "mnist"),
    "DiscriminativeVAE": of_application("DiscriminativeVAE", "fashion_mnist"),
    "DirectionDiscovery": directions,
    "ProgressiveGAN": progressive_gan,
    "own": own_model,
}


class Check:
    """What is found of one model: a list of lines, each right or wrong."""

    def __init__(self, name):
        self.name, self.failed = name, 0

    def __call__(self, is_right, what):
        self.failed += not is_right
        print(f"{self.name:20} {'ok  ' if is_right else 'FAIL'} {what}", flush=True)


def drive(browser, name, model, data, shots, folder):
    """Opens the page of a model and uses everything on it; returns the number of failures."""
    check = Check(name)
    blocks = kd.explore(model, data, wait=False, max_controls=12)
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    try:
        page.goto(blocks.local_url, timeout=PATIENCE)
        page.wait_for_selector("#image img", timeout=PATIENCE)
        page.wait_for_timeout(500)

        def changes(part, act, what):
            part = f"{part} img"
            old = (
                page.locator(part).first.get_attribute("src") if page.locator(part).count() else ""
            )
            act()
            try:
                page.wait_for_function(CHANGED, arg=[part, old], timeout=PATIENCE)
                check(True, what)
            except Exception as error:  # Playwright's timeout.
                check(False, f"{what}: {str(error).splitlines()[0]}")

        moved = use_controls(page, check)
        check(moved > 0, f"{moved} controls change the image")
        changes("#image", page.locator("#draw-a").click, "draw A")
        changes("#image-b", page.locator("#draw-b").click, "draw B")
        changes("#strip", page.locator("#draw-strip").click, "strip")
        check(page.locator("#map img").count() == 1, "heat map")
        check(page.locator("#strip a[download='strip.gif']").count() == 1, "a GIF to save")
        changes("#path", page.locator("#draw-path").click, "the way from A to B")
        for box in page.locator("#swapped input").all():
            box.check()
        changes("#image", page.locator("#swap").click, "swap")
        if shots:
            page.screenshot(path=shots / f"{name}.png", full_page=True)
        if page.locator("#upload-a").count():
            upload(page, check, changes, folder)
        away = [url for url in requests if not url.startswith(LOCAL)]
        check(not away, f"{len(requests)} requests, {len(away)} to elsewhere {away[:3]}")
    finally:
        page.close()
        blocks.close()
    return check.failed


def use_controls(page, check):
    """Moves every control; the number of those that changed the image, with times of answers."""
    moved, times = 0, []
    for control in page.locator("[id^=control-]").all():
        name = control.get_attribute("id")
        old = page.locator("#image img").get_attribute("src")
        start = time.perf_counter()
        if control.locator("input[type=range]").count():
            control.locator("input[type=range]").evaluate(
                "e => { e.value = Number(e.value) > 0 ? e.min : e.max; "
                "e.dispatchEvent(new Event('input', {bubbles: true})) }"
            )
        elif control.locator("input[type=radio]").count():
            control.locator("input[type=radio]:not(:checked)").last.click()
        else:
            continue
        try:
            page.wait_for_function(CHANGED, arg=["#image img", old], timeout=10_000)
            times.append(1000 * (time.perf_counter() - start))
            moved += 1
        except Exception:  # Playwright's timeout; a latent that is not active changes nothing.
            print(f"{check.name:20} note {name} changes no pixel")
    if times:
        print(f"{check.name:20} note answered within {np.median(times):.0f} ms (median)")
    return moved


def upload(page, check, changes, folder):
    """Uploads an image and a broken file."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (90, 70, 3), "uint8")).save(folder / "photo.jpg")
    (folder / "broken.png").write_bytes(b"no image")
    files = page.locator("input[type=file]").first
    changes("#image", lambda: files.set_input_files(folder / "photo.jpg"), "upload")
    page.wait_for_selector("#original img", timeout=PATIENCE)
    check(True, "what was uploaded beside its decoding")
    files.set_input_files(folder / "broken.png")
    page.wait_for_function(
        "document.querySelector('#message').innerText.includes('PNG')", timeout=PATIENCE
    )
    check(True, f"a broken file: {page.locator('#message').inner_text()}")


CELLS = {
    "the cell returns": "page = kd.explore(model)",
    "the page answers": "assert urllib.request.urlopen(page.local_url).status == 200",
    "a second one has a port of its own": """second = kd.explore(model)
assert second.local_url != page.local_url and second.is_running""",
    "both are closed": """page.close(), second.close()
for url in (page.local_url, second.local_url):
    try:
        urllib.request.urlopen(url)
    except urllib.error.URLError:
        continue
    raise AssertionError(url)""",
}


def notebook():
    """Runs cells that explore a model, each of which must return; the number of failures."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    check = Check("notebook")
    first = """import keras, urllib.request, urllib.error, keras_disentangle as kd
stack = [keras.layers.Dense(144, "sigmoid"), keras.layers.Reshape((12, 12, 1))]
model = keras.Sequential([keras.Input((4,)), *stack])"""
    content = nbformat.v4.new_notebook()
    content.cells = [nbformat.v4.new_code_cell(code) for code in (first, *CELLS.values())]
    client = NotebookClient(content, timeout=PATIENCE // 1000)
    with client.setup_kernel():
        for number, what in enumerate(["the cells run", *CELLS]):
            try:
                client.execute_cell(content.cells[number], number)
                check(True, what)
            except (CellExecutionError, CellTimeoutError) as error:
                check(False, f"{what}: {error}")
    shown = [output.get("data", {}).get("text/html", "") for output in content.cells[1].outputs]
    check(any("<iframe src=" in html for html in shown), "a frame below the cell, not its address")
    return check.failed


def callback(name, model):
    """CPU time of the callback of a slider, in milliseconds: median of 20."""
    from keras_disentangle.explorer._blocks import _Page

    page, times = _Page(Explorer(model, max_controls=12), None), []
    point, control = page.explorer.sample(0), page.explorer.controls[0]
    for value in [*control.values(11), *control.values(12)]:
        start = time.process_time()
        point, *_ = page.move(control.name, point, value)
        times.append(1000 * (time.process_time() - start))
    median = float(np.median(times))
    check = Check(name)
    check(median < 150, f"CPU time of a slider's callback: {median:.0f} ms")
    return check.failed


def drive_file(browser, name, model, shots, folder, runtime=None):
    """Opens a page in one file from the disk, without a network, and moves its sliders: one at a
    time, or with `runtime`, which runs the decoder in the browser, one after another."""
    check, path = Check(name), folder / f"{name}.html"
    explorer = Explorer(model, max_controls=12)
    point = explorer.sample(0)
    export_page(explorer, path, point, steps=5, title=name, runtime=runtime)
    context = browser.new_context(offline=True)
    page = context.new_page()
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    sliders, worst, changed = page.locator("input[type=range]").all(), 0.0, 0
    read = """() => { const c = document.querySelector('canvas');
      return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data] }"""
    if runtime is not None:
        page.wait_for_function(
            "document.getElementById('how').innerText.includes('jointly')", timeout=PATIENCE
        )
    page.wait_for_timeout(1000)
    start = page.evaluate(read)
    for slider, control in zip(sliders, explorer.controls, strict=True):
        slider.evaluate("e => { e.value = 0; e.dispatchEvent(new Event('input')) }")
        page.wait_for_timeout(150 if runtime is None else 1000)
        found = page.evaluate(read)
        changed += found != start
        value = 0 if control.choices else min(control.low, control.read(point))
        moved = explorer.moved(point, control.name, value)
        if runtime is not None:
            point = moved
        code, label = moved.code[None], () if moved.label is None else ([moved.label],)
        decode = getattr(model, "decode", model)
        image = keras.ops.convert_to_numpy(decode(code, *label))[0].clip(0, 1)
        shown = np.reshape(found, (*image.shape[:2], 4))[..., : image.shape[-1]] / 255
        worst = max(worst, float(np.abs(shown - image).max()))
    what = "file of frames" if runtime is None else "file with its decoder"
    kilobytes = path.stat().st_size // 1024
    check(changed > 0, f"{what}, {kilobytes} kB: {changed} of {len(sliders)} sliders change it")
    check(worst < 1 / 255, f"{what}: at most {255 * worst:.2f} / 255 from Keras's decoder")
    before, control = page.evaluate(read), content_of(path)[0]
    page.get_by_role("slider", name=control["name"], exact=True).focus()
    page.keyboard.press("End")
    page.wait_for_timeout(1000)
    text = sliders[0].get_attribute("aria-valuetext")
    is_moved = text == control["texts"][-1] and page.evaluate(read) != before
    check(is_moved, f"{what}: the key End moves {control['name']!r} to {text}")
    away = [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]
    check(not away, f"{what}: {len(away)} requests to elsewhere")
    if shots:
        page.screenshot(path=shots / f"{name}_file.png", full_page=True)
    context.close()
    return check.failed


def content_of(path):
    """The entries of the controls in a page."""
    text = path.read_text(encoding="utf-8").partition('id="data">')[2].partition("</script>")[0]
    return json.loads(text)["controls"]


def watch_connections():
    """A list that grows by each address outside this machine that the process connects to."""
    found = []

    def hook(event, arguments):
        if event == "socket.connect":
            address = arguments[1]
            if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
                found.append(address)
        elif event == "socket.getaddrinfo" and arguments[0] not in (
            *("127.0.0.1", "localhost", "::1", None),
        ):
            found.append(arguments[0])

    sys.addaudithook(hook)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[*MODELS, "notebook"])
    parser.add_argument("--shots", type=Path, help="folder for screenshots")
    parser.add_argument("--runtime", type=Path, help="folder `dist` of npm's onnxruntime-web")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import sync_playwright

    failed, outside = 0, watch_connections()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        folder = Path(folder)
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox"]
        )
        for name in options.names:
            if name == "notebook":
                failed += notebook()
                continue
            model, data = MODELS[name](folder)
            failed += callback(name, model)
            failed += drive(browser, name, model, data, options.shots, folder)
            failed += drive_file(browser, name, model, options.shots, folder)
            if options.runtime:
                failed += drive_file(browser, name, model, None, folder, options.runtime)
        browser.close()
    check = Check("server")
    check(not outside, f"connections of the server to elsewhere: {outside[:5]}")
    sys.exit(bool(failed + check.failed))


if __name__ == "__main__":
    main()
