"""Writes the tables of docs/metrics.md and the cards anew, from declarations and stored results.

python scripts/tables.py

A table stands between `<!-- name -->` and `<!-- end of name -->`; all else is left as it is. That
of a card is described by `applications/<application>/results/tables/<name>.json`:

    commands, seeds, commit, hardware, time   how its numbers were measured
    columns   dict from a title to the format of a value, or of all values of a list
    rows      dicts from title to a number, a list of numbers, or text; a cell may be missing
    scores    dict from a title to where the value lies in the JSON that a row names as its `file`,
              within its `part`: names with dots between
"""

import functools
import json
import re
from pathlib import Path

from keras_disentangle.applications._shared.listing import catalogue, shown
from keras_disentangle.applications._shared.reproducing import CARDS, tables
from keras_disentangle.evaluation import metric_names
from keras_disentangle.metrics import METRICS

ROOT = Path(__file__).resolve().parents[1]
METRIC_PAGE, WEIGHTS_PAGE = ROOT / "docs" / "metrics.md", CARDS / "README.md"
INTERVALS = {"resamples": "bootstrap", "votes": "Wilson", None: "–"}


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(names):
    return ", ".join(f"`{name}`" for name in names)


def metrics(names):
    """A row for each metric: what it asks, what it is of, how it is estimated."""
    rows = []
    for metric in (METRICS[name] for name in names):
        function = metric.function.__name__
        own = code([metric.name])
        label = own if function == metric.name else f"{own} (`kd.metrics.{function}`)"
        learns = "yes" if metric.learns else "no"
        summary = metric.summary.replace("|", "\\|")
        rows.append([label, summary, code(metric.of), learns, INTERVALS[metric.interval]])
    return table(["metric", "asks", "of", "learns", "intervals"], rows)


def scores(names):
    """A row for each score: its range, and what two codes score that everybody knows."""
    rows = []
    for score in (score for name in names for score in METRICS[name].scores):
        values = [value(score.random), value(score.one_to_one)]
        rows.append([code([score.name]), span(score.bounds), score.better or "–", *values])
    return table(["score", "range", "better", "random code", "one-to-one code"], rows)


def value(expected):
    if expected is None:
        return "–"
    return expected.__doc__ if callable(expected) else f"{expected:g}"


def span(bounds):
    low, high = (f"{end:g}" for end in bounds)
    if high == "inf":
        return "any" if low == "-inf" else f"≥ {low}"
    return f"{low} to {high}"


def weights():
    """A row for all bundled weights: how they load, what they were trained on, their scores."""
    rows = []
    for name, found in catalogue().items():
        for key, entry in found["weights"].items():
            load = f'`{found["factory"]}(weights="{key}")`'
            scores = shown(name, entry["scores"]).replace("|", "\\|")
            rows.append([load, f"[{name}]({name}/README.md)", scores])
    return table(["weights", "card", "scores"], rows)


def results(name, content):
    """The table of a card.

    Args:
        name: "application/table".
        content: what its file holds.
    """
    folder = CARDS / name.split("/")[0] / "results"
    columns = content["columns"]
    used = {title for row in content["rows"] for title in row} | content.get("scores", {}).keys()
    if used - {"file", "part"} != set(columns):
        raise ValueError(f"{name}: the columns are not those of the rows")
    rows = [[cell(folder, content, row, title) for title in columns] for row in content["rows"]]
    return table(list(columns), rows)


def cell(folder, content, row, title):
    value = row.get(title)
    if value is None and "file" in row and title in content["scores"]:
        stored = json.loads((folder / row["file"]).read_text(encoding="utf-8"))
        parts = [*row.get("part", "").split("."), *content["scores"][title].split(".")]
        value = functools.reduce(lambda found, key: found[key], filter(None, parts), stored)
    if value is None or isinstance(value, str):
        return value or ""
    return content["columns"][title].format(*(value if isinstance(value, list) else [value]))


def metric_tables():
    """The tables of docs/metrics.md, by their names."""
    evaluated = metric_names()
    others = [name for name in METRICS if name not in evaluated]
    return {
        "metrics of evaluate": metrics(evaluated),
        "scores of evaluate": scores(evaluated),
        "other metrics": metrics(others),
        "scores of other metrics": scores(others),
    }


def pages():
    """The pages with tables, and these."""
    cards = {}
    for name, content in tables().items():
        application, key = name.split("/")
        cards.setdefault(CARDS / application / "README.md", {})[key] = results(name, content)
    return {METRIC_PAGE: metric_tables(), WEIGHTS_PAGE: {"weights": weights()}, **cards}


def updated(page, text, tables):
    """The text of a page with its tables made anew."""
    for name, content in tables.items():
        parts = re.split(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->)", text, flags=re.S)
        if len(parts) != 2:
            raise ValueError(f"{page} must have one table {name!r}. Received: {len(parts) - 1}")
        text = f"{parts[0]}{content}\n{parts[1]}"
    return text


if __name__ == "__main__":
    for page, tables in pages().items():
        text = page.read_text(encoding="utf-8")
        page.write_text(updated(page, text, tables), encoding="utf-8")
