"""Six representations that show what a metric sees: arrays of codes and of factors.

They are the cases of Li et al., 2020, figures 8 and 9 (a factor split between dimensions, factors
merged in one), a perfect one, one rotated, one of noise, and that of a trained model: the posterior
means of `ProVLAE(weights="dsprites")` for 3,000 random images of `DSprites(32)`, with orientation
and positions in four steps each. `python tests/representations.py` makes these last again.
"""

import pathlib

import numpy as np

ROWS = 3000
SIZES = (3, 4, 6)
TRAINED = pathlib.Path(__file__).with_name("trained_codes.npz")

# The rows that score where a metric trains a predictor: the last third.
HELD_OUT = np.arange(ROWS) >= 2000
# A part of them, for what takes long: 600 rows to train, 300 to score.
FEW = np.r_[0:600, 2000:2300]


def representations():
    """Dict of name → (codes (3000, d) float64, factors (3000, k) int64)."""
    rng = np.random.default_rng(2026)
    factors = rng.integers(0, SIZES, size=(ROWS, len(SIZES)))
    a, b, c = factors.T.astype(float)
    perfect = np.stack([-2 * b, 0.5 * c, a], axis=1)
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    codes = {
        "perfect": perfect,
        "rotated": (perfect - perfect.mean(axis=0)) / perfect.std(axis=0) @ rotation,
        "split": np.stack([a, b, c // 2, c % 2], axis=1),
        "merged": np.stack([4 * a + b, c], axis=1),
        "random": rng.standard_normal((ROWS, 4)),
    }
    named = {name: (values, factors) for name, values in codes.items()}
    with np.load(TRAINED) as trained:
        named["trained"] = (
            trained["codes"].astype(np.float64),
            trained["factors"].astype(np.int64),
        )
    return named


def _encode():
    import keras_disentangle as kd

    data = kd.datasets.DSprites(image_size=32)
    index = np.random.default_rng(0).choice(len(data), ROWS, replace=False)
    model = kd.applications.ProVLAE(weights="dsprites")
    codes, _ = kd.encode_images(model, lambda i: data.images(index[i]), ROWS)
    factors = data.factors(index) // (1, 1, 10, 8, 8)
    np.savez_compressed(TRAINED, codes=codes.astype(np.float32), factors=factors.astype(np.uint8))


if __name__ == "__main__":
    _encode()
