"""Pictures."""

import numpy as np
from hypothesis import strategies as st
from properties._cases import LAYOUTS, NUMPY, Case, arrays, maybe, optional_seeds, seeds

from keras_disentangle import latents, visualization

images = arrays((4, 3, 3, 1), (4, 3, 3, 3), low=0, high=1)
pictures = st.sampled_from((1, 3)).map(lambda c: np.zeros((4, 5, c), "uint8"))
latent = arrays((2,))
labels = st.booleans()
paths = st.sampled_from((None, "picture.png", "folder/picture.png"))
sizes = st.sampled_from(((2, 1), (1.5, 1.5)))
counts = st.integers(2, 4)
layout = {
    "padding": maybe(st.integers(0, 2)),
    "height": maybe(st.sampled_from((1, 5, 96))),
    "title": maybe(st.sampled_from((None, "title", "two\nlines"))),
}
titles = {"title": layout["title"]}


def decoder(kind):
    """From latents (n, 2) to images (n, 3, 3, 1)."""

    def decode(z):
        z = np.asarray(z)
        return LAYOUTS[kind](np.full((len(z), 3, 3, 1), 0.5, "float32") + 0.0 * z.sum())

    return decode


decoders = st.sampled_from(list(LAYOUTS)).map(decoder)
moves = {
    "decode": decoders,
    "values": maybe(st.one_of(st.none(), arrays((3,)))),
    "span": maybe(st.sampled_from((0.5, 2))),
    "steps": maybe(counts),
    **layout,
}
rungs = maybe(st.sampled_from((None, [2], (1, 1), np.array([1, 1]))))
along = {
    **moves,
    "latents": arrays((2,), (3, 2)),
    "directions": arrays((2,), (1, 2), (2, 2), low=0.1),
    "orthogonal": maybe(labels),
}
SPACE = latents.LatentSpace([latents.Normal(1), latents.Uniform(1)])


def written(tag, value, step, image, log_dir):
    writer = visualization.EventWriter(log_dir)
    writer.scalar(tag, value, step)
    writer.image(tag, image, step)
    writer.flush()
    writer.close()


def shown(array):
    picture = array.view(visualization.Picture)
    return repr(picture), picture._repr_png_()


class Model:
    """Two latents, each the brightness of a column."""

    latent_dim = 2

    def decode(self, z):
        return np.clip(np.asarray(z)[:, None, :, None] / 8 + 0.5, 0, 1).repeat(3, axis=1)


PACKAGES = ("visualization",)

TABLE = {
    "EventWriter": Case(
        written,
        {
            "log_dir": st.sampled_from(("logs", "more/logs")),
            "tag": st.sampled_from(("loss", "a/b")),
            "value": st.sampled_from((0, 0.5, np.float32(1), np.array(2.0))),
            "step": st.sampled_from((0, 5, np.int64(3))),
            "image": pictures,
        },
        share=0.2,
    ),
    "Picture": Case(
        shown,
        {"array": arrays((2, 2, 3), (2, 2), layouts=NUMPY)},
        fixed=("array",),
        share=0.2,
    ),
    "activeness_bars": Case(
        visualization.activeness_bars,
        {
            "scores": arrays((3,), low=0.1).map(lambda x: {"a": x}),
            "size": maybe(sizes),
            **titles,
            "path": maybe(paths),
        },
        share=0.1,
    ),
    "code_traversal": Case(
        visualization.code_traversal,
        {
            "decode": decoders,
            "space": st.just(SPACE),
            "name": st.sampled_from(SPACE.names),
            "dim": maybe(st.just(0)),
            "rows": st.integers(1, 3),
            "steps": counts,
            "extent": maybe(st.sampled_from((0.5, 1))),
            "seed": maybe(optional_seeds),
            "value_labels": maybe(labels),
            **layout,
        },
        share=0.5,
    ),
    "components_by_activeness": Case(
        visualization.components_by_activeness,
        {
            **moves,
            "latent": latent,
            "activeness": arrays((2,), low=0.1),
            "num": maybe(st.sampled_from((None, 1, 2, 9))),
            "value_labels": maybe(labels),
        },
        share=0.5,
    ),
    "direction_frames": Case(visualization.direction_frames, along, share=0.5),
    "direction_traversal": Case(
        visualization.direction_traversal,
        {**along, "value_labels": maybe(labels), "labels": maybe(st.none())},
        share=0.5,
    ),
    "enlarge": Case(
        visualization.enlarge, {"images": images, "height": maybe(st.integers(1, 9))}, share=0.5
    ),
    "hessian_grid": Case(
        visualization.hessian_grid,
        {
            "hessians": arrays((2, 3, 3), (1, 2, 3, 3)),
            "images": maybe(st.none()),
            "pixels": maybe(st.none()),
            "labels": maybe(st.none()),
            "limit": maybe(st.sampled_from((None, 1, 0.5))),
            "scale_bar": maybe(labels),
            **layout,
        },
        share=0.5,
    ),
    "image_grid": Case(
        visualization.image_grid,
        {
            "images": images,
            "columns": counts,
            **layout,
            "row_labels": maybe(st.none()),
            "column_labels": maybe(st.none()),
        },
        share=0.7,
    ),
    "information_flow": Case(
        visualization.information_flow,
        {
            "stages": st.sampled_from((1, 2)).map(
                lambda n: [{"total": 1.5, "rungs": [1.0, 0.5 * i]} for i in range(n)]
            ),
            "images": maybe(st.none()),
            "path": maybe(paths),
            **titles,
        },
        share=0.1,
    ),
    "information_matrix": Case(
        visualization.information_matrix,
        {
            "information": arrays((3, 2), low=0.1),
            "factor_names": st.sampled_from((["a", "b"], ("c", "d"))),
            "rungs": maybe(st.sampled_from((None, [1, 2]))),
            "names": maybe(st.sampled_from((None, ["x", "y", "z"]))),
            "size": maybe(st.sampled_from((None, (2, 1)))),
            **titles,
            "path": maybe(paths),
        },
        share=0.1,
    ),
    "latent_grid": Case(
        visualization.latent_grid,
        {
            **moves,
            "latent": latent,
            "dims": maybe(st.sampled_from(((0, 1), [1, 0]))),
            "rungs": rungs,
        },
        share=0.5,
    ),
    "latent_traversal": Case(
        visualization.latent_traversal,
        {
            **moves,
            "latent": latent,
            "rungs": rungs,
            "factors": maybe(st.sampled_from((None, ["shape 90%", ""]))),
            "value_labels": maybe(labels),
        },
        share=0.5,
    ),
    "penalty_heatmap": Case(
        visualization.penalty_heatmap,
        {
            "penalty": arrays((4, 5), (2, 4, 5), low=0),
            "images": maybe(st.none()),
            "opacity": maybe(st.sampled_from((0, 0.5, 1))),
            "columns": maybe(st.sampled_from((None, 1, 2))),
            "limit": maybe(st.sampled_from((None, 1, 0.5))),
            "scale_bar": maybe(labels),
            **layout,
        },
        share=0.5,
    ),
    "reconstruction_grid": Case(
        visualization.reconstruction_grid,
        {
            "images": arrays((4, 3, 3, 1), low=0, high=1),
            "reconstructions": arrays((4, 3, 3, 1), low=0, high=1),
            "columns": maybe(counts),
            **layout,
        },
        share=0.5,
    ),
    "report": Case(
        lambda **arguments: visualization.report(Model(), **arguments),
        {
            "data": maybe(st.one_of(st.none(), arrays((4, 3, 2, 1), low=0, high=1, layouts=NUMPY))),
            "path": st.sampled_from(("report.html", "folder/report.html")),
            "title": maybe(st.sampled_from((None, "title"))),
            "metrics": maybe(st.none()),
            "num_samples": maybe(st.sampled_from((100, 1000))),
            "num_votes": maybe(st.integers(1, 3)),
            "num_images": maybe(st.integers(1, 3)),
            "max_latents": maybe(st.integers(1, 3)),
            "steps": maybe(counts),
            "seed": maybe(seeds),
        },
        share=0.1,
    ),
    "rung_samples": Case(
        visualization.rung_samples,
        {
            "decode": decoders,
            "latent": latent,
            "rungs": rungs,
            "num": counts,
            "seed": maybe(optional_seeds),
            **layout,
        },
        share=0.5,
    ),
    "save_gif": Case(
        visualization.save_gif,
        {
            "path": st.sampled_from(("frames.gif", "folder/frames.gif")),
            "frames": st.sampled_from((1, 2)).map(lambda n: [np.zeros((4, 4, 3), "uint8")] * n),
            "duration": maybe(st.sampled_from((10, 80))),
        },
        share=0.3,
    ),
    "save_png": Case(
        visualization.save_png,
        {"path": st.sampled_from(("image.png", "folder/image.png")), "image": pictures},
        share=0.3,
    ),
    "score_points": Case(
        visualization.score_points,
        {
            "points": st.just({"a": {"1": (0.5, 0.6)}}),
            "x_label": st.just("x"),
            "y_label": st.just("y"),
            "size": maybe(sizes),
            **titles,
            "path": maybe(paths),
        },
        share=0.1,
    ),
    "training_curves": Case(
        visualization.training_curves,
        {
            "curves": arrays((4,), low=0.1).map(lambda x: {"a": (np.arange(4), x)}),
            "reference": maybe(st.sampled_from((None, {"b": 0.5}))),
            "x_label": maybe(st.just("x")),
            "y_label": maybe(st.just("y")),
            "y_scale": maybe(st.sampled_from(("linear", "log"))),
            "size": maybe(sizes),
            **titles,
            "path": maybe(paths),
        },
        share=0.1,
    ),
    "traversal_frames": Case(
        visualization.traversal_frames, {**moves, "latent": latent, "rungs": rungs}, share=0.5
    ),
}
