"""Scores as text, a line for each model, and their means over seeds."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Column:
    """One score in a table.

    Args:
        title: what stands above it.
        digits: number of decimals; `None` for what is no number with decimals.
        scale: what values are multiplied by.
        unit: what follows a value.
    """

    title: str
    digits: int | None = None
    scale: float = 1.0
    unit: str = ""

    def cell(self, value):
        if value is None or self.digits is None:
            return "-" if value is None else str(value)
        values = value if isinstance(value, (list, tuple)) else [value]
        return " ".join(f"{self.scale * x:z.{self.digits}f}" for x in values) + self.unit


def table(rows, columns, heading="model"):
    """A line for each model, with those columns that any of them has.

    Args:
        rows: dict from a label to a dict of scores; dicts within it are looked into.
        columns: dict from the name of a score, as `flat` gives it, to its `Column`.
        heading: what stands above the labels.
    """
    lines = _lines(rows, columns, heading)
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        f"{line[0]:{widths[0]}}"
        + "".join(f"  {cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True))
        for line in lines
    )


def markdown(rows, columns, heading="model"):
    """The same table in Markdown."""
    head, *lines = _lines(rows, columns, heading)
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def _lines(rows, columns, heading):
    """The cells of each line."""
    found = {label: flat(scores) for label, scores in rows.items()}
    shown = {k: c for k, c in columns.items() if any(k in scores for scores in found.values())}
    lines = [[heading, *(column.title for column in shown.values())]]
    for label, scores in found.items():
        lines.append([label, *(column.cell(scores.get(k)) for k, column in shown.items())])
    return lines


def flat(scores):
    """The scores of dicts within dicts, by names such as "nll.test"."""
    found = {}
    for name, value in scores.items():
        if isinstance(value, dict):
            found.update({f"{name}.{key}": x for key, x in flat(value).items()})
        else:
            found[name] = value
    return found


def means(results):
    """Means of scores over runs that differ in their seeds alone.

    Args:
        results: dict from a label to what `results.json` holds.

    Returns:
        Dict from the name of each kind of run, such as "vae beta 4, mean of 3", to a dict of
        scores, as `flat` gives them; kinds of which there is one run are left out.
    """
    models = {}
    for result in results.values():
        kinds = models.setdefault(result["model"], {})
        kinds.setdefault(repr(result["settings"]), []).append(result)
    averaged = {}
    for model, kinds in models.items():
        settings = [found[0]["settings"] for found in kinds.values()]
        differ = [k for k, v in settings[0].items() if any(x.get(k) != v for x in settings)]
        for i, (found, own) in enumerate(zip(kinds.values(), settings, strict=True), start=1):
            # One setting that differs tells kinds apart; several are too long for a label.
            kind = f" {differ[0]} {own[differ[0]]}" if len(differ) == 1 else f" {i}" * bool(differ)
            if len(found) > 1:
                scores = [flat(result["scores"]) for result in found]
                averaged[f"{model}{kind}, mean of {len(found)}"] = _mean(scores)
    return averaged


def _mean(scores):
    return {
        name: np.mean([found[name] for found in scores], axis=0).tolist()
        for name in scores[0]
        if all(name in found and _is_number(found[name]) for found in scores)
    }


def _is_number(value):
    return isinstance(value, (int, float, list)) and not isinstance(value, bool)
