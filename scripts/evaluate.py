"""Measures how disentangled a trained model is.

python scripts/evaluate.py APPLICATION [options]; APPLICATION --help lists its options.
python scripts/evaluate.py MODEL.keras --data DATA [options]: any Keras model of yours that encodes
images, on images with factors in an .npz file, or on one of the data sets that are rendered here.
"""

from _applications import dispatch

if __name__ == "__main__":
    dispatch("evaluate", __doc__, of_files="_evaluation")
