"""Draws what the latent dimensions of a trained model do, as PNG and GIF.

python scripts/traverse.py APPLICATION [options]; APPLICATION --help lists its options.
"""

from _applications import dispatch

if __name__ == "__main__":
    dispatch("traverse", __doc__)
