"""The explorer."""

import numpy as np
from hypothesis import strategies as st
from properties._cases import NUMPY, Case, arrays, maybe, seeds

import keras_disentangle as kd
from keras_disentangle import explorer


class Model:
    """Two latents, each the brightness of a column."""

    latent_dim = 2

    def decode(self, z):
        return np.clip(np.asarray(z)[:, None, :, None] / 8 + 0.5, 0, 1).repeat(3, axis=1)

    def encode(self, x):
        return 8 * np.asarray(x).mean(axis=(1, 3)) - 4


def explored(value, **settings):
    made = explorer.Explorer(Model(), **settings)
    point = made.moved(made.start(), made.controls[0].name, value)
    return made.image(point)


def controlled(low, high):
    def write(point, value):
        return explorer.Point(np.full(1, value))

    made = explorer.Control("z1", "z", lambda point: point.code[0], write, low=low, high=high)
    return made.write(None, made.values(3)[0]).code


def shown(**settings):
    kd.explore(Model(), wait=False, **settings).close()


PACKAGES = ("explorer", "keras_disentangle")
TABLE = {
    "Control": Case(
        controlled,
        {"low": st.sampled_from((-1.0, 0.0)), "high": st.sampled_from((1.0, 2.0))},
        fixed=("low", "high"),
        share=0.1,
    ),
    "Explorer": Case(
        explored,
        {
            "value": st.sampled_from((-1, 0.5)),
            "data": maybe(st.one_of(st.none(), arrays((4, 3, 2, 1), low=0, high=1, layouts=NUMPY))),
            "max_controls": maybe(st.integers(1, 3)),
            "num_images": maybe(st.integers(1, 3)),
            "seed": maybe(seeds),
        },
        fixed=("value",),
        shape=lambda arguments: (3, 2, 1),
        share=0.2,
    ),
    "Point": Case(
        lambda code: explorer.Point(code).code, {"code": arrays((2,))}, fixed=("code",), share=0.1
    ),
    "explore": Case(
        shown,
        {"port": maybe(st.none()), "share": maybe(st.just(False))},
        share=0.05,
        heavy=True,
    ),
    "export_page": Case(
        lambda path, steps: explorer.export_page(explorer.Explorer(Model()), path, steps=steps),
        {"path": st.sampled_from(("page.html", "folder/page.html")), "steps": st.integers(2, 4)},
        share=0.1,
    ),
}
