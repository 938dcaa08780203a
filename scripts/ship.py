"""Makes the trained weights of an application from a finished training.

python scripts/ship.py APPLICATION NAME MODEL.keras; APPLICATION --help explains.
"""

from _applications import dispatch

if __name__ == "__main__":
    dispatch("ship", __doc__)
