"""Short trainings of every model of the tests in float32 and in mixed_bfloat16, as a table.

    KERAS_BACKEND=torch PYTHONPATH=.:tests python scripts/precision_table.py [name ...]

Both begin with equal weights and draw the same numbers: 60 steps of Adam on 16 images, with rate
0.01, and 0.001 where players compete. Prints the model's losses as means over the last ten steps,
after that of the first step, and their difference relative to the float32 loss, or to 1 where that
is smaller: losses of players pass 0. Ends with status 1 if a difference is above 2%. Takes
about three minutes of one core.
"""

import sys

import keras
from model_table import MODELS
from tiny_training import LARGEST_DIFFERENCE, in_both_precisions


def main(names):
    print("| model | loss | at first | float32 | mixed_bfloat16 | difference |")
    print("|---|---|---|---|---|---|")
    failed = []
    for name in names or MODELS:
        for loss, (first, *ends, difference) in in_both_precisions(MODELS[name]).items():
            numbers = " | ".join(f"{value:.4g}" for value in (first, *ends))
            print(f"| {name} | {loss} | {numbers} | {100 * difference:.2f}% |", flush=True)
            if not difference <= LARGEST_DIFFERENCE:
                failed.append(f"{name} ({loss})")
        keras.backend.clear_session()
    if failed:
        sys.exit(f"More than {100 * LARGEST_DIFFERENCE:g}%: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
