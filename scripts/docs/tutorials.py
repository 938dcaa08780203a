"""Executes the tutorials of docs/tutorials and turns them into pages and notebooks.

python scripts/docs/tutorials.py                    those that changed, two at once
python scripts/docs/tutorials.py own_images         some, in any case

A tutorial is Markdown whose blocks of Python are the cells of a notebook. The executed notebooks
are kept in build/tutorials and executed again when their text or the library changes.
"""

import concurrent.futures
import hashlib
import os
import re
import resource
import sys
import tempfile

import jupytext
import nbclient
import nbconvert
import nbformat
from public_names import PACKAGE, ROOT

SOURCE, EXECUTED = ROOT / "docs" / "tutorials", ROOT / "build" / "tutorials"
RELATIVE_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)[^)]+\)")
# One thread each, since two are executed at once.
SETTINGS = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
SETTINGS |= {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
# What TensorFlow writes to the standard error before anybody can tell it not to.
LOG = re.compile(r"(?m)^(WARNING: All log messages before absl|[IW]\d{4,} ).*\n?")
LIMIT = 900  # seconds a cell may take


def state(name):
    """What an execution depends on, as a checksum."""
    digest = hashlib.sha256((SOURCE / f"{name}.md").read_bytes())
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current(name):
    path = EXECUTED / f"{name}.ipynb"
    return path.exists() and nbformat.read(path, 4).metadata.get("state") == state(name)


def execute(name):
    """Executes a tutorial in a folder of its own; returns the CPU seconds that it took."""
    os.environ.update({key: os.environ.get(key, value) for key, value in SETTINGS.items()})
    before = state(name)
    notebook = jupytext.read(SOURCE / f"{name}.md", fmt="md")
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook,
            timeout=LIMIT,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=ERROR"],
        )
        client.execute()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = round(used.ru_utime + used.ru_stime)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":  # the pages are not beside a downloaded notebook
            cell.source = RELATIVE_LINK.sub(r"\1", cell.source)
        else:
            cell.outputs = [output for output in cell.outputs if not is_log(output)]
    notebook.metadata |= {"state": before, "seconds": seconds}
    EXECUTED.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, EXECUTED / f"{name}.ipynb")
    return seconds


def is_log(output):
    """Whether an output is a log of TensorFlow's start."""
    return output.get("name") == "stderr" and not LOG.sub("", output.text).strip()


def page(name):
    """The files of a tutorial on the site: its page, its pictures and its notebook, by place."""
    notebook = nbformat.read(EXECUTED / f"{name}.ipynb", 4)
    seconds = notebook.metadata.seconds
    written = (EXECUTED / f"{name}.ipynb").read_bytes()
    # The text with its links is that of the source.
    notebook.cells = [
        {**cell, "source": original.source}
        for cell, original in zip(
            notebook.cells, jupytext.read(SOURCE / f"{name}.md", fmt="md").cells, strict=True
        )
    ]
    notebook = nbformat.from_dict(notebook)
    text, resources = nbconvert.MarkdownExporter().from_notebook_node(
        notebook, {"unique_key": name, "output_files_dir": f"{name}_files"}
    )
    title, rest = text.lstrip().split("\n", 1)
    note = (
        f"[Download the notebook]({name}.ipynb){{ .md-button }}\n\n"
        f"*Executed when this page was built, in {seconds} seconds of one CPU core.*\n"
    )
    files = {f"tutorials/{path}": data for path, data in resources["outputs"].items()}
    return {
        f"tutorials/{name}.md": f"{title}\n\n{note}\n{rest}",
        f"tutorials/{name}.ipynb": written,
        **files,
    }


def main(names):
    every = sorted(path.stem for path in SOURCE.glob("*.md"))
    wanted = names or [name for name in every if not is_current(name)]
    failed = []
    with concurrent.futures.ProcessPoolExecutor(2, max_tasks_per_child=1) as pool:
        running = {pool.submit(execute, name): name for name in wanted}
        for done in concurrent.futures.as_completed(running):
            error = done.exception()
            if error is not None:
                failed.append(running[done])
            print(f"{running[done]}: {error or f'{done.result()} CPU seconds'}", flush=True)
    if failed:
        raise SystemExit(f"These tutorials failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
