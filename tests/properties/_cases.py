"""What a property test is: a public name, how to call it, what to draw for each argument.

A call is drawn as its author means it, or with one or two arguments replaced by something hostile.
It must end in a result that is finite and of the right shape, or in an error of a kind that tells
a user that an argument is wrong, with a message. Anything else is a failure: another kind of error,
one of the backend's own, a value that is not finite, a call that does not end.
"""

import signal
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
from hypothesis import strategies as st
from keras import ops

REFUSALS = (ValueError, TypeError, ImportError, FileNotFoundError)
SECONDS = 60  # after which a call is said not to end
DEFAULT = object()  # stands for an argument that is not given


@dataclass(frozen=True)
class Case:
    """How a public name is called.

    Attributes:
        call: of keyword arguments, the names in `args`; what it returns is checked.
        args: a strategy for each argument, as it is meant.
        shape: None, or a function of the arguments: the shape of the result (of a tuple: shapes).
        fixed: arguments that are never replaced, such as the data that methods are called with.
        share: how many cases it gets, next to the others': slow ones get few.
        heavy: whether it is never called as meant, since that takes minutes on some backend.
        nan: whether a result may be NaN or infinite: where the definition says so, or where what
            comes out of numbers that are not finite, or huge, is the caller's own.
    """

    call: Callable
    args: dict = field(default_factory=dict)
    shape: Callable | None = None
    fixed: tuple = ()
    share: float = 1.0
    nan: bool = False
    heavy: bool = False


class Hang(BaseException):
    """A call that does not end. Not an `Exception`, so that nothing catches it."""


class Failure(AssertionError):
    """A call that ended otherwise than it may."""


@st.composite
def calls(draw, case):
    """The arguments of a call, and whether all of them are as meant."""
    arguments = {name: draw(strategy) for name, strategy in case.args.items()}
    names = [name for name in case.args if name not in case.fixed]
    often = (1, 1, 2) if case.heavy else (0, 0, 0, 0, 1, 1, 1, 1, 1, 2)
    replaced = draw(st.sampled_from(often)) if names else 0
    for _ in range(replaced):
        arguments[draw(st.sampled_from(names))] = draw(HOSTILE)
    return {name: value for name, value in arguments.items() if value is not DEFAULT}, not replaced


class Hostile:
    """Makes an argument when the call is made: never twice the same, and nothing while drawing."""

    def __init__(self, make):
        self.make = make


def made(arguments):
    """The arguments of a call, ready."""
    return {k: v.make() if isinstance(v, Hostile) else v for k, v in arguments.items()}


def run(case, arguments, as_meant):
    """Calls; returns "result" or the name of the error that it was refused with.

    Raises:
        Failure: if the call ended in another way.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = _in_time(lambda: case.call(**arguments))
    except REFUSALS as error:
        if not str(error).strip():
            raise Failure(f"{type(error).__name__} without a message") from error
        if as_meant:
            raise Failure(f"refused, though as it is meant: {error}") from error
        return type(error).__name__
    except Hang as error:
        raise Failure(f"did not end within {SECONDS} s") from error
    except Exception as error:
        raise Failure(f"{type(error).__name__}: {error}") from error
    strict = as_meant or not case.nan
    if strict and not _finite(result):
        raise Failure(f"a result that is not finite: {result!r}"[:500])
    if as_meant and case.shape is not None:
        found, expected = _shapes(result), case.shape(arguments)
        if found != expected:
            raise Failure(f"a result of shape {found} in place of {expected}")
    return "result"


def _in_time(call):
    def stop(signum, frame):
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _finite(result):
    if isinstance(result, dict):
        return all(map(_finite, result.values()))
    if isinstance(result, (list, tuple)):
        return all(map(_finite, result))
    if ops.is_tensor(result) or isinstance(result, keras.Variable):
        result = ops.convert_to_numpy(ops.cast(result, "float32"))
    if isinstance(result, (int, float, np.ndarray, np.generic)):
        result = np.asarray(result)
        return result.dtype.kind != "f" or bool(np.isfinite(result).all())
    return True


def _shapes(result):
    if isinstance(result, tuple):
        return tuple(map(_shapes, result))
    return tuple(np.shape(result))


# Arrays, as they come

SPECIAL = (np.nan, np.inf, -np.inf, 1e300, 1e30, 1e-30, 0.0)


def _tensor(x, dtype="float32"):
    x = ops.convert_to_tensor(x, dtype)
    if keras.backend.backend() == "torch" and x.is_floating_point():
        x = x.requires_grad_() * 1  # As a model gives it, with the graph that made it.
    return x


def _read_only(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


LAYOUTS = {
    "array": lambda x: x,
    "float64": lambda x: x.astype("float64"),
    "tensor": _tensor,
    "read-only": _read_only,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x,
    "fortran": np.asfortranarray,
    "list": lambda x: x.tolist(),
}
# Coarse or other kinds of number, where not every function must take them.
DTYPES = {
    "float16": lambda x: x.astype("float16"),
    "bfloat16": lambda x: _tensor(x, "bfloat16"),
    "tensor of float64": lambda x: _tensor(x, "float64"),
}


@st.composite
def arrays(draw, *shapes, low=-2.0, high=2.0, layouts=tuple(LAYOUTS), integer=False):
    """An array of one of the shapes, of numbers from `low` to `high`, in one of the layouts."""
    shape = draw(st.sampled_from(shapes))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    if integer:
        x = rng.integers(int(low), int(high) + 1, size=shape)
        layouts = tuple(name for name in layouts if name not in ("float64", "tensor"))
    else:
        x = rng.uniform(low, high, size=shape).astype("float32")
    return LAYOUTS[draw(st.sampled_from(layouts))](x)


NUMPY = ("array", "float64", "read-only", "strided", "fortran")


def maybe(strategy):
    """As `strategy`, or the argument is not given."""
    return st.one_of(st.just(DEFAULT), strategy)


seeds = st.sampled_from((0, 7, np.int64(3), 2**31 - 1, 2**31, 2**32 - 1))
optional_seeds = st.one_of(seeds, st.none())


def _object_array():
    return np.array([None, "a"], dtype=object)


# Each makes a new one, so that no call can spoil another's.
_HOSTILE = (
    *(
        lambda value=value: value
        for value in (
            *(None, "text", "", b"bytes", True, False, ..., NotImplemented),
            *(0, 1, -1, 3, 2**31, 2**32 - 1, 2**63, 2**64, 2**70, -(2**31), -(2**63)),
            *(0.5, -0.5, 0.0, 1e-30, 1e300, -1e300, float("nan"), float("inf"), -float("inf"), 1j),
            *(np.int64(3), np.uint8(2), np.float32(0.5), np.float64("nan"), np.bool_(True)),
            *((), (1, 2), ("a", "b"), (None,), range(3), frozenset((1,)), object, len, print),
        )
    ),
    lambda: [],
    lambda: {},
    lambda: {"a": 1},
    lambda: {1: None},
    lambda: [[1, 2], [3]],
    lambda: ["a", None],
    lambda: [np.nan, 1.0],
    lambda: set(),
    lambda: object(),
    lambda: iter([1, 2]),
    lambda: (x for x in (1, 2)),
    lambda: lambda *args, **kwargs: None,
    lambda: lambda x: x,
    lambda: np.array(2),
    lambda: np.array(0.5),
    lambda: np.array([]),
    lambda: np.zeros((0, 2)),
    lambda: np.zeros((3, 0)),
    lambda: np.zeros((1, 1)),
    lambda: np.arange(3),
    lambda: np.arange(6.0).reshape(3, 2),
    lambda: np.full((5, 3), np.nan, "float32"),
    lambda: np.full((5, 3), np.inf, "float32"),
    lambda: np.full((5, 3), 1e300),
    lambda: np.full((5, 3), 1e30, "float32"),
    lambda: np.full((5, 3), 1e-310),
    lambda: np.zeros((5, 3), "float16"),
    lambda: np.ones((5, 3), bool),
    lambda: np.ones((5, 3), complex),
    lambda: np.full((5, 3), "a"),
    lambda: np.full((5, 3), 2**63, "uint64"),
    lambda: np.full((5, 3), -(2**63), "int64"),
    lambda: np.zeros((2, 4, 4, 1), "float32"),
    lambda: np.zeros((2, 4, 4, 3), "uint8"),
    lambda: np.full((2, 4, 4, 1), np.nan, "float32"),
    lambda: np.zeros((2, 4, 4, 5)),
    lambda: np.zeros((2,) * 6),
    _object_array,
    lambda: np.array("2020-01-01", "datetime64[D]"),
    lambda: np.zeros(3, [("a", "f4")]),
    lambda: _tensor(np.ones((5, 3))),
    lambda: _tensor(np.full((5, 3), np.nan)),
    lambda: _tensor(np.ones((5, 3)), "bfloat16"),
    lambda: _tensor(np.ones((5, 3)), "int32"),
    lambda: _tensor(np.ones(())),
    lambda: keras.Input((3,)),
    lambda: keras.layers.Dense(2),
    lambda: keras.random.SeedGenerator(0),
    lambda: np.random.default_rng(0),
)


HOSTILE = st.sampled_from(list(map(Hostile, _HOSTILE)))
