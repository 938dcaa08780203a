"""Compares trainings of one of the ready-made systems.

python scripts/compare.py APPLICATION [options]; APPLICATION --help lists its options.
"""

from _applications import dispatch

if __name__ == "__main__":
    dispatch("compare", __doc__)
