"""Measures how disentangled a trained model is.

python scripts/evaluate.py APPLICATION [options]; APPLICATION --help lists its options.
"""

from _applications import dispatch

if __name__ == "__main__":
    dispatch("evaluate", __doc__)
