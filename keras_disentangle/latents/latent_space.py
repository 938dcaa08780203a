"""A latent vector made of codes."""

import copy
import itertools

import keras
import numpy as np
from keras import ops

from keras_disentangle._tensors import as_floats, check_same_batch, check_width, to_numpy
from keras_disentangle.latents._code import Code, check_draw


@keras.saving.register_keras_serializable("keras_disentangle")
class LatentSpace:
    """The latent vector of a generator: a concatenation of codes, some of them informative.

    It samples latent vectors, splits them into codes, and defines the outputs of a recognition
    network for the informative codes and the likelihood of the codes under these outputs.

    Args:
        codes: list of `Normal`, `Uniform`, `Quantized` and `Categorical` codes, in their order in
            the vector. Unnamed codes of one type are numbered: "uniform" if there is one,
            otherwise "uniform_1", "uniform_2", ...

    Attributes:
        codes, names: tuples of the codes, with their final names, and of the names.
        informative: tuple of the informative codes.
        dim: width of the vector.
        slices: dict from each code's name to its part of the vector, a `slice`.
        num_params: number of outputs of a recognition network, concatenated for all informative
            codes in the same order.

    Raises:
        ValueError: if there is no code, an element is not a code, or two have the same name.

    Example:

    >>> from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
    >>> space = LatentSpace([Normal(62), Categorical(10), Uniform(2, -1, 1)])
    >>> space.dim, space.num_params, space.names
    (74, 14, ('normal', 'categorical', 'uniform'))
    >>> space.sample(8, seed=0).shape
    (8, 74)

    Reference: Chen et al., 2016 (InfoGAN), sections 4 to 6.
    """

    def __init__(self, codes):
        codes = tuple(codes) if isinstance(codes, (list, tuple)) else ()
        if not codes or not all(isinstance(code, Code) for code in codes):
            raise ValueError(
                "`codes` must be a list of one or more `Normal`, `Uniform`, `Quantized` and "
                f"`Categorical`. Received: codes={codes}"
            )
        self.codes = _with_unique_names(codes)
        self.names = tuple(code.name for code in self.codes)
        self.informative = tuple(code for code in self.codes if code.informative)
        self.slices = _slices(self.codes, "dim")
        self.dim = sum(code.dim for code in self.codes)
        self.num_params = sum(code.num_params for code in self.informative)

    def __getitem__(self, name):
        if name not in self.names:
            raise ValueError(f"`name` must be one of {self.names}. Received: name={name!r}")
        return self.codes[self.names.index(name)]

    def sample(self, n, seed=None):
        """Draws `n` latent vectors, (n, dim) float32.

        Args:
            n: number of vectors, an integer >= 1, or symbolic, as from `ops.shape`.
            seed: integer, `keras.random.SeedGenerator`, or `None` for Keras's global one. An
                integer always gives the same vectors.
        """
        n, seed = check_draw(n, seed)
        seeds = [seed] * len(self.codes)
        if isinstance(seed, int):
            # Otherwise codes of one type would be equal.
            seeds = np.random.SeedSequence(seed).generate_state(len(self.codes)) >> 1
            seeds = seeds.tolist()
        draws = [code.sample(n, seed=s) for code, s in zip(self.codes, seeds, strict=True)]
        return ops.concatenate(draws, axis=-1)

    def split(self, z):
        """Splits `z` (n, dim) into codes, a dict of name to (n, d)."""
        check_width("z", z, self.dim)
        return {name: z[:, part] for name, part in self.slices.items()}

    def split_params(self, params):
        """Splits the outputs `params` (n, num_params) of a recognition network by informative code,
        a dict of name to (n, p)."""
        check_width("params", params, self.num_params)
        parts = _slices(self.informative, "num_params")
        return {name: params[:, part] for name, part in parts.items()}

    def entropy(self):
        """Entropy of each informative code in nats, as a dict of name to float."""
        return {code.name: code.entropy() for code in self.informative}

    def log_likelihood(self, params, z):
        """log q(c | x) of each informative code in nats, as a dict of name to (n,).

        Args:
            params: outputs of the recognition network for x, (n, num_params).
            z: latent vectors, (n, dim).
        """
        params, z = as_floats(params=params, z=z)
        check_same_batch("params", params, "z", z)
        params, codes = self.split_params(params), self.split(z)
        return {
            code.name: code.log_likelihood(params[code.name], codes[code.name])
            for code in self.informative
        }

    def predict(self, params):
        """Predictions of each informative code from `params` (n, num_params), a dict of name to
        (n, d): probabilities of categories, means of continuous codes."""
        params = self.split_params(params)
        return {code.name: code.predict(params[code.name]) for code in self.informative}

    def traversal(self, z, name, dim=0, steps=10, extent=1.0):
        """A latent vector with one of its codes at each value of a traversal.

        Args:
            z: the latent vector to start from, (dim,).
            name: name of the code.
            dim: index of its dimension, if it is continuous.
            steps: number of values, if it is continuous, >= 2.
            extent: 1 covers the whole interval of a uniform code and -2 to 2 of a normal one,
                2 twice as much.

        Returns:
            NumPy array (values, dim).
        """
        z = to_numpy("z", z).astype("float32")
        if z.shape != (self.dim,):
            raise ValueError(f"`z` must have the shape ({self.dim},). Received: z.shape={z.shape}")
        code, part = self[name], self.slices[name]
        values = code.traverse(z[part], dim, steps, extent)
        vectors = np.tile(z, (len(values), 1))
        vectors[:, part] = values
        return vectors

    def get_config(self):
        return {"codes": [keras.saving.serialize_keras_object(code) for code in self.codes]}

    @classmethod
    def from_config(cls, config):
        return cls([keras.saving.deserialize_keras_object(code) for code in config["codes"]])

    def __repr__(self):
        return f"LatentSpace({list(self.codes)})"


def _slices(codes, attribute):
    """Dict from each code's name to its slice of the concatenated codes or parameters."""
    ends = list(itertools.accumulate((getattr(code, attribute) for code in codes), initial=0))
    return {
        code.name: slice(*pair) for code, pair in zip(codes, itertools.pairwise(ends), strict=True)
    }


def _with_unique_names(codes):
    """Copies of the codes, in which unnamed codes have unique names."""
    given = [code.name for code in codes if code.is_named]
    if len(set(given)) < len(given):
        raise ValueError(f"The names of `codes` must differ. Received: the names {given}")
    taken, unnamed = set(given), [code.name for code in codes if not code.is_named]
    copies = []
    for code in map(copy.copy, codes):
        if not code.is_named:
            name = code.name
            if unnamed.count(name) > 1 or name in given:
                number = 1
                while f"{name}_{number}" in taken:
                    number += 1
                name = f"{name}_{number}"
            code.name, code.is_named = name, True
            taken.add(name)
        copies.append(code)
    return tuple(copies)
