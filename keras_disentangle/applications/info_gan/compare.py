"""Several trainings of InfoGAN side by side: the paper's Figure 1, and a table of scores."""

import argparse
from pathlib import Path

import numpy as np

from keras_disentangle._files import read_json
from keras_disentangle.visualization import save_png, training_curves


def main(arguments=None):
    """Command line of `scripts/compare.py info_gan`."""
    parser = argparse.ArgumentParser(
        prog="compare.py info_gan",
        description="Draws the information bound L_I of finished trainings against their steps, "
        "and prints how far it got, a line for each.",
        epilog="Example: compare.py info_gan runs/mnist runs/detached --out runs/information.png",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", help="the --log-dir of each training")
    parser.add_argument(
        "--within", type=int, default=2000, help="steps within which L_I is looked at"
    )
    parser.add_argument("--out", default="runs/information.png", help="the picture")
    options = parser.parse_args(arguments)
    if options.within < 1:
        raise ValueError(f"`within` must be positive. Received: within={options.within}")
    results = {Path(run).name: read_results(run) for run in options.runs}
    if len(results) < len(options.runs):
        raise ValueError(
            f"`runs` must have different names, for the legend. Received: runs={options.runs}"
        )
    print(table(results, options.within))
    save_png(Path(options.out), information_curves(results))
    print(f"\npicture  {options.out}")


def read_results(log_dir):
    """What a finished training wrote to `results.json`.

    Raises:
        ValueError: if there is no such file, or it is none of InfoGAN's.
    """
    path = Path(log_dir) / "results.json"
    try:
        results = read_json(path)
        bound(results)
    except (OSError, ValueError, LookupError, AttributeError, TypeError, StopIteration) as error:
        raise ValueError(
            "`runs` must be folders of finished trainings of InfoGAN, with their results.json. "
            f"Received: {path} ({type(error).__name__}: {error})"
        ) from error
    return results


def bound(results):
    """L_I of the first informative code in nats: (ends, values), the mean of each epoch and the
    step at which the epoch ended."""
    values = np.array(results["history"][f"information_{_first_code(results)}"])
    return results["settings"]["steps_per_epoch"] * (np.arange(len(values)) + 1), values


def table(results, within):
    """A line for each training: L_I of the first code, the highest epoch mean within so many steps
    and at all, and the error of the categories as classes at the end."""
    width = max(len("training"), *map(len, results))
    lines = [
        f"{'training':{width}}  model      seed   steps  highest L_I of H(c), nats:  "
        f"within {within}  at all   error"
    ]
    for label, result in results.items():
        ends, values = bound(result)
        early = values[ends <= within]
        error = f"{100 * result['error']:7.2f}%" if "error" in result else f"{'-':>8}"
        entropy = result["entropy"][_first_code(result)]
        lines.append(
            f"{label:{width}}  {result['model']:10} {result['seed']:4} {ends[-1]:7}  "
            f"{entropy:26.4f}  {early.max() if len(early) else np.nan:{7 + len(str(within))}.4f}"
            f"{values.max():8.4f}{error}"
        )
    return "\n".join(lines)


def information_curves(results):
    """Figure 1: the bound of the first informative code against training steps, a line a run.

    Args:
        results: dict from label to what `results.json` holds.

    Returns:
        uint8 picture (H, W, 3).
    """
    lines, reference = {}, {}
    for label, result in results.items():
        ends, values = bound(result)
        # The mean of an epoch stands at its middle.
        lines[label] = (ends - result["settings"]["steps_per_epoch"] / 2, values)
        reference["$H(c)$"] = result["entropy"][_first_code(result)]
    return training_curves(
        lines, reference=reference, x_label="training steps", y_label="$L_I$ in nats"
    )


def _first_code(results):
    return next(iter(results["entropy"]))
