"""Trains one of the ready-made systems.

python scripts/train.py APPLICATION [options]; APPLICATION --help lists its options.
"""

from _applications import dispatch

if __name__ == "__main__":
    dispatch("train", __doc__)
