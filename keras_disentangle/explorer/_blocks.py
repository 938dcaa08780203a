"""The page of `explore` in Gradio: what is shown where, and what is called when."""

import base64
import contextlib
import functools
import html
import os

from keras_disentangle.explorer.explorer import Explorer
from keras_disentangle.visualization.files import encode_gif, encode_png

_CSS = """
.picture img { image-rendering: pixelated; max-width: 100%; }
#views { position: sticky; top: 0; z-index: 1; background: var(--body-background-fill); }
#views > *, #views-b > * { flex: 0 0 auto; min-width: 0; width: auto; }
#image img { width: 320px; }
#image-b img, #original-b img { width: 160px; }
#original { width: 116px; }
#original img { width: 96px; }
"""
_STEP = 0.01
_SIDE_BY_SIDE = 12  # choices


def build(explorer, source=None):
    """The page as `gradio.Blocks`, of an `Explorer`."""
    return _Page(explorer, source).blocks


def launch(blocks, port, share, wait):
    """Serves the page, as `explore` says."""
    import gradio as gr

    blocks.launch(
        server_name="127.0.0.1",
        server_port=port,
        share=share,
        max_file_size="20mb",
        footer_links=[],
        css=_CSS,
        # Fonts of the machine: others would be loaded from elsewhere.
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        prevent_thread_lock=wait is False,
    )
    # The value of a notebook's last line, whose page already stands below: Gradio would list
    # every callback.
    blocks._ipython_display_ = lambda: None
    if wait:
        blocks.block_thread()
    return blocks


def picture(image, name="image", gif=None):
    """HTML of a uint8 image, with links that save it: it is in the page itself, in no file."""
    links = [(f"{name}.png", "image/png", encode_png(image))]
    if gif is not None:
        links.append((f"{name}.gif", "image/gif", gif))
    urls = [(file, f"data:{kind};base64,{_text(content)}") for file, kind, content in links]
    saved = " ".join(
        f'<a download="{html.escape(file)}" href="{url}">save {html.escape(file)}</a>'
        for file, url in urls
    )
    return (
        f'<div class="picture"><img alt="{html.escape(name)}" src="{urls[0][1]}"><br>{saved}</div>'
    )


def original(image):
    """HTML of an image that was encoded, as the model sees it; empty if there is none."""
    return "" if image is None else picture(image, "original")


def _text(content):
    return base64.b64encode(content).decode()


class _Page:
    """The components; callbacks get a state, the two points, and return what they change."""

    def __init__(self, explorer: Explorer, source):
        import gradio

        self.gr, self.explorer, self.source = gradio, explorer, source
        self.names = [control.name for control in explorer.controls]
        (first, second), self.numbers = zip(*explorer.first_points(), strict=True)
        # Uploads that no callback removed go within minutes, and all when the page is closed.
        with self.gr.Blocks(
            title="Explorer", analytics_enabled=False, delete_cache=(60, 60)
        ) as blocks:
            self.blocks = blocks
            self.a, self.b = self.gr.State(first), self.gr.State(second)
            self.message = self.gr.Markdown(elem_id="message")
            with self.gr.Row():
                with self.gr.Column(scale=2):
                    with self.gr.Row(elem_id="views"):
                        self.image = self.gr.HTML(self.image_of(first), elem_id="image")
                        self.original = self.gr.HTML(self.original_of(0), elem_id="original")
                    sources_a = self._sources("A")
                    self.code = self.gr.Code(
                        explorer.python(first, *self._source()), language="python", label="Python"
                    )
                with self.gr.Column(scale=3):
                    self.sliders = self._sliders(first)
            self._strip()
            self._events(sources_a, self._second(second))

    def _source(self):
        return () if self.source is None else (self.source,)

    # What is shown.

    def image_of(self, point, name="image"):
        image = self.explorer.image(point)
        # Enlarged by the browser, saved as it is.
        return picture(image, name)

    def original_of(self, which):
        """The image of the data that the first (0) or second point is of; empty if it is none."""
        number = self.numbers[which]
        return "" if number is None else original(self.explorer.data_images([number])[0])

    def _sliders(self, point):
        sliders, group, explorer = [], None, self.explorer
        for number, control in enumerate(explorer.controls):
            if control.group != group:
                group = control.group
                self.gr.Markdown(f"**{group}**")
            info, value = explorer.about(control.name) or None, control.read(point)
            given = {"label": control.name, "info": info, "elem_id": f"control-{number}"}
            if control.choices is None:
                ends = (min(control.low, value), max(control.high, value))
                sliders.append(self.gr.Slider(*ends, value=value, step=_STEP, precision=2, **given))
                continue
            options = [(text, index) for index, text in enumerate(control.choices)]
            kind = self.gr.Radio if len(options) <= _SIDE_BY_SIDE else self.gr.Dropdown
            sliders.append(kind(options, value=value, **given))
        return sliders

    def _sources(self, which):
        """Where a point comes from: the prior, the data, or a file."""
        explorer, low = self.explorer, which.lower()
        with self.gr.Row():
            draw = self.gr.Button(f"draw {which}", elem_id=f"draw-{low}", size="sm")
            number = upload = None
            if explorer.num_images:
                number = self.gr.Number(
                    self.numbers[which == "B"],
                    label=f"{which}: image of the data (0 to {explorer.num_images - 1})",
                    precision=0,
                    elem_id=f"number-{low}",
                )
            if explorer.is_encoder:
                upload = self.gr.UploadButton(f"upload {which}", elem_id=f"upload-{low}", size="sm")
        return draw, number, upload

    def _strip(self):
        with self.gr.Accordion("One latent: strip and heat map of what moves", open=True):
            with self.gr.Row():
                self.chosen = self.gr.Dropdown(
                    self.names, value=self.names[0], label="latent", elem_id="chosen"
                )
                self.draw_strip = self.gr.Button("draw", elem_id="draw-strip", size="sm")
            with self.gr.Row():
                with self.gr.Column(scale=3):
                    self.strip = self.gr.HTML(elem_id="strip")
                with self.gr.Column(scale=1):
                    self.map = self.gr.HTML(elem_id="map")

    def _second(self, point):
        with self.gr.Accordion("Two images: swap latents, and the way between", open=True):
            with self.gr.Row():
                with self.gr.Column():
                    with self.gr.Row(elem_id="views-b"):
                        self.image_b = self.gr.HTML(self.image_of(point, "b"), elem_id="image-b")
                        self.original_b = self.gr.HTML(self.original_of(1), elem_id="original-b")
                    sources = self._sources("B")
                with self.gr.Column():
                    self.swapped = self.gr.CheckboxGroup(
                        self.names, label="A takes from B", elem_id="swapped"
                    )
                    self.swap = self.gr.Button("swap", elem_id="swap", size="sm")
            self.path = self.gr.HTML(elem_id="path")
            self.draw_path = self.gr.Button("the way from A to B", elem_id="draw-path", size="sm")
        return sources

    # What happens.

    def _events(self, sources_a, sources_b):
        quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        of_a = [self.a, self.message, self.original, self.image, self.code, *self.sliders]
        for control, slider in zip(self.explorer.controls, self.sliders, strict=True):
            slider.input(
                functools.partial(self.move, control.name),
                [self.a, slider],
                [self.a, self.image, self.code],
                trigger_mode="always_last",
                **quick,
            )
        of_b = [self.b, self.message, self.original_b, self.image_b]
        for (draw, number, upload), state, show, outputs in (
            (sources_a, self.a, self.show_a, of_a),
            (sources_b, self.b, self.show_b, of_b),
        ):
            draw.click(self._told(self.drawn, show), [state], outputs, **quick)
            if number is not None:
                number.input(self._told(self.numbered, show), [state, number], outputs, **quick)
            if upload is not None:
                upload.upload(self._told(self.uploaded, show), [state, upload], outputs, **quick)
        both = [self.a, self.b, self.swapped]
        self.swap.click(self._told(self.swap_points, self.show_a), both, of_a, **quick)
        inputs = [self.a, self.chosen]
        self.draw_strip.click(self.strip_of, inputs, [self.strip, self.map], **quick)
        self.draw_path.click(self.path_of, [self.a, self.b], [self.path], **quick)

    def move(self, name, point, value):
        point = self.explorer.moved(point, name, value)
        return point, self.image_of(point), self.explorer.python(point, *self._source())

    def show_a(self, point, image=None):
        values = []
        for control in self.explorer.controls:
            value = control.read(point)
            if control.choices is not None:
                values.append(value)
                continue
            ends = {"minimum": min(control.low, value), "maximum": max(control.high, value)}
            values.append(self.gr.update(value=value, **ends))
        code = self.explorer.python(point, *self._source())
        return [point, "", original(image), self.image_of(point), code, *values]

    def show_b(self, point, image=None):
        return [point, "", original(image), self.image_of(point, "b")]

    def _told(self, change, show):
        """A callback that shows a new point and the image that it is of, or says why there is
        none."""

        def call(point, *given):
            try:
                return show(*change(point, *given))
            except ValueError as error:
                return {self.message: f"**{html.escape(str(error))}**"}

        return call

    def drawn(self, point):
        return (self.explorer.sample(label=point.label),)

    def numbered(self, point, number):
        number = -1 if number is None else int(number)
        point = self.explorer.of_number(number, point)
        return point, self.explorer.data_images([number])[0]

    def uploaded(self, point, path):
        try:
            with open(path, "rb") as file:
                content = file.read()
        finally:
            with contextlib.suppress(OSError):
                os.remove(path)
                os.rmdir(os.path.dirname(path))  # one for each file
        image = self.explorer.read_image(content)
        return self.explorer.of_image(image, point), image

    def swap_points(self, a, b, names):
        return (self.explorer.swapped(a, b, names or []),)

    def strip_of(self, point, name):
        strip = self.explorer.strip(point, name)
        gif = encode_gif(self.explorer.frames(point, name))
        return picture(strip, "strip", gif), picture(self.explorer.movement(point, name), "map")

    def path_of(self, a, b):
        return picture(self.explorer.path(a, b), "path")
