"""Converts published checkpoints into weights of one of the ready-made systems.

python scripts/convert.py APPLICATION [options]; APPLICATION --help lists its options.
"""

from _applications import dispatch

if __name__ == "__main__":
    dispatch("convert", __doc__)
