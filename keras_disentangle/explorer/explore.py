"""`explore`: a page in the browser in which latents are moved by hand."""

import importlib.util
import os
import socket

from keras_disentangle._arguments import check_flag, check_int
from keras_disentangle._extras import install
from keras_disentangle.explorer.explorer import Explorer


def explore(
    model,
    data=None,
    *,
    port=None,
    share=False,
    source=None,
    wait=None,
    max_controls=32,
    seed=0,
):
    """Opens a page on which the latents of a trained model are moved by sliders.

    It is served on 127.0.0.1, so that no other machine reaches it, and loads nothing from outside.
    What a visitor uploads is removed as soon as it has been read. Needs Gradio:
    the extra `explore`.

    Args:
        model: as in `kd.explorer.Explorer`.
        data: `None`, images or a data set, as there.
        port: the port, from 1 to 65535; by default the first free one from 7860 on.
        share: whether Gradio also makes a public address, through its own servers.
        source: a line of Python that loads the model, for the code that the page shows.
        wait: whether to return only when the page is closed (by Ctrl-C); by default not in a
            notebook.
        max_controls, seed: as in `Explorer`.

    Returns:
        The `gradio.Blocks`, whose `close()` ends the page.

    Raises:
        ValueError: if a port is not free; as `Explorer`.
        ImportError: if Gradio is not installed.

    Example:

    >>> page = kd.explore(model, images, wait=False)
    >>> page.close()
    """
    if importlib.util.find_spec("gradio") is None:
        raise ImportError(
            f"`explore` needs Gradio: {install('explore')}. "
            "`kd.explorer.export_page` writes a page without it."
        )
    share = check_flag("share", share)
    if port is not None:
        port = check_int("port", port, maximum=65535)
        _check_free(port)
    explorer = Explorer(model, data, max_controls=max_controls, seed=seed)
    # Before it is imported: it would ask its makers' server for its newest version.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from keras_disentangle.explorer._blocks import build, launch

    return launch(build(explorer, source), port, share, wait)


def _check_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ValueError(
                "`port` must be free, or None for the first that is. "
                f"Received: port={port} ({error.strerror})"
            ) from error
