"""The base classes of the codes of a latent space."""

import abc
import math

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, check_number, check_seed
from keras_disentangle._likelihood import gaussian_nll
from keras_disentangle._tensors import as_floats, check_same_batch, check_width, widen

# Floor of a learnt standard deviation: otherwise the density could grow without bound.
MIN_STD = 1e-3


class Code(abc.ABC):
    """A group of latent dimensions with one distribution.

    Attributes:
        dim: number of dimensions of the latent vector that it occupies.
        num_params: number of outputs of a recognition network that describe its posterior.
        informative: whether a recognition network is trained to infer it.
        name: its name; `LatentSpace` makes the names of its codes unique.
        num_traversals: number of distinct traversals, each a row of a picture.
    """

    default_name: str
    dim: int
    num_params: int
    num_traversals: int

    def __init__(self, informative, name):
        if not isinstance(informative, (bool, np.bool_)):
            raise ValueError(
                f"`informative` must be True or False. Received: informative={informative!r}"
            )
        if name is not None and not (isinstance(name, str) and name):
            raise ValueError(f"`name` must be None or a word. Received: name={name!r}")
        self.informative = bool(informative)
        self.is_named = name is not None
        self.name = name if self.is_named else self.default_name

    @abc.abstractmethod
    def sample(self, n, seed=None):
        """Draws `n` codes, (n, dim) float32; `seed` is an int, a `SeedGenerator` or None."""

    @abc.abstractmethod
    def entropy(self):
        """Entropy in nats, summed over dimensions; differential for a continuous code."""

    @abc.abstractmethod
    def log_likelihood(self, params, codes):
        """log q(codes | params) in nats, summed over dimensions, (n,).

        `params` (n, num_params) are the outputs of a recognition network, `codes` is (n, dim).
        """

    @abc.abstractmethod
    def predict(self, params):
        """The prediction of the code from `params` (n, num_params), (n, dim)."""

    @abc.abstractmethod
    def traversal(self, steps=10, extent=1.0):
        """The values that a traversal visits, as a NumPy array."""

    @abc.abstractmethod
    def traverse(self, code, dim=0, steps=10, extent=1.0):
        """`code` (dim,) at each point of its traversal with index `dim`, NumPy (values, dim)."""

    @abc.abstractmethod
    def get_config(self):
        return {
            "informative": self.informative,
            "name": self.name if self.is_named else None,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __repr__(self):
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"

    def _checked(self, params, codes):
        """Both as tensors of one dtype in which likelihoods can be computed."""
        params, codes = as_floats(params=params, codes=codes)
        check_width("params", params, self.num_params)
        check_width("codes", codes, self.dim)
        check_same_batch("params", params, "codes", codes)
        return params, codes

    def _check_traversal(self, dim):
        if check_int("dim", dim, minimum=0) >= self.num_traversals:
            raise ValueError(
                f"`dim` must be less than {self.num_traversals}, the number of traversals of the "
                f"code {self.name!r}. Received: dim={dim}"
            )


class ContinuousCode(Code):
    """A code of `size` independent real dimensions, with a factored Gaussian as posterior."""

    def __init__(self, size, informative, posterior_std, name):
        super().__init__(informative, name)
        if posterior_std is not None:
            posterior_std = check_number("posterior_std", posterior_std, above=0)
        self.size = self.dim = self.num_traversals = check_int("size", size)
        self.posterior_std = posterior_std
        self.num_params = self.size if posterior_std is not None else 2 * self.size

    def log_likelihood(self, params, codes):
        params, codes = self._checked(params, codes)
        mean = params[:, : self.size]
        if self.posterior_std is not None:
            return -gaussian_nll(codes, mean, math.log(self.posterior_std))
        log_std = params[:, self.size :]
        # Only the value is bounded: with the gradient of a maximum, a posterior that has become too
        # narrow could not widen again.
        too_low = ops.relu(math.log(MIN_STD) - log_std)
        return -gaussian_nll(codes, mean, log_std + ops.stop_gradient(too_low))

    def predict(self, params):
        check_width("params", params, self.num_params)
        return widen(params[:, : self.size])

    def traverse(self, code, dim=0, steps=10, extent=1.0):
        self._check_traversal(dim)
        values = self.traversal(steps, extent)
        codes = np.tile(np.asarray(code, "float32"), (len(values), 1))
        codes[:, dim] = values
        return codes

    def get_config(self):
        return {"size": self.size, **super().get_config(), "posterior_std": self.posterior_std}


def interval(centre, half_width, steps, extent):
    """`steps` float32 values, evenly from centre - extent * half_width to the opposite end."""
    half_width = check_number("extent", extent, above=0) * half_width
    if abs(centre) + half_width > np.finfo("float32").max:
        raise ValueError(f"`extent` must leave values finite in float32. Received: extent={extent}")
    steps = check_int("steps", steps, minimum=2)
    return np.linspace(centre - half_width, centre + half_width, steps, dtype="float32")


def check_draw(n, seed):
    """Checks a number of draws, which may be symbolic, and a seed."""
    is_symbolic = isinstance(n, keras.KerasTensor) or ops.is_tensor(n)
    # Sizes that are unknown to JAX have neither shape nor dtype.
    is_size = type(n).__module__.startswith("jax.") and not hasattr(n, "dtype")
    if not (is_size or is_symbolic and tuple(n.shape) == () and "int" in str(n.dtype)):
        n = check_int("n", n)
    return n, check_seed("seed", seed, generator=True)
