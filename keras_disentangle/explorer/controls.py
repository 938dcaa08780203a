"""What can be moved in a latent vector: dimensions, categories, directions, labels."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from keras_disentangle.latents import Categorical, Quantized, Uniform
from keras_disentangle.visualization._rungs import code_labels, dimension_labels

SPAN = 3.0  # of a normal code, in standard deviations


@dataclass(frozen=True)
class Point:
    """A latent vector with the label of a conditional model.

    Attributes:
        code: float32 array (d,).
        label: class (integer), attributes (k,), or `None`.

    Example:

    >>> kd.explorer.Point(np.zeros(4, "float32")).code.shape
    (4,)
    """

    code: np.ndarray
    label: object = None


@dataclass(frozen=True)
class Control:
    """One quantity of a `Point` that can be read and set.

    Attributes:
        name: such as "z3·1", the first dimension of the rung 3; unique in its model.
        group: that of its code or rung, such as "z3".
        choices: texts of the values that it can have; its value is then an index. `None` of a
            continuous one.
        low, high: the range of a continuous one.
        component: index of the latent dimension or direction whose activeness is its own, or
            `None` of a label.
        read: function from a `Point` to the value.
        write: function from a `Point` and a value to a `Point`.

    Example:

    >>> explorer = kd.explorer.Explorer(model)
    >>> control, point = explorer.controls[0], explorer.start()
    >>> control.read(control.write(point, 1.5))
    1.5
    """

    name: str
    group: str
    read: Callable
    write: Callable
    choices: tuple | None = None
    low: float = -SPAN
    high: float = SPAN
    component: int | None = None

    def values(self, steps):
        """The values of a traversal: all choices, or `steps` of them from `low` to `high`."""
        if self.choices is not None:
            return list(range(len(self.choices)))
        return np.linspace(self.low, self.high, steps).tolist()

    def text(self, value):
        """A value as it is written beside pictures."""
        return self.choices[value] if self.choices is not None else f"{value:.2f}"


def controls_of_space(space):
    """A `Control` for each dimension of a `LatentSpace`, and one for each categorical code."""
    groups, found = code_labels(space), []
    names = dimension_labels(space, "num_traversals")
    for code in space.codes:
        start = space.slices[code.name].start
        for dim, name in enumerate(names[code.name]):
            given = {"name": name, "group": groups[code.name], "component": start + dim}
            if isinstance(code, Categorical):
                found.append(_categories(start, code.num_categories, **given))
            elif isinstance(code, Quantized):
                found.append(_levels(start + dim, code.values_of(dim), **given))
            else:
                if isinstance(code, Uniform):
                    given |= {"low": code.low, "high": code.high}
                found.append(_dimension(start + dim, **given))
    return found


def controls_of_directions(matrix, span):
    """A `Control` for each of the orthonormal directions, the rows of `matrix`: the coordinate
    along it, from -`span` to `span`."""

    def control(index, row):
        def read(point):
            return float(point.code @ row)

        def write(point, value):
            return replace(point, code=point.code + np.float32(value - read(point)) * row)

        return Control(
            f"w{index + 1}", "directions", read, write, low=-span, high=span, component=index
        )

    return [control(index, row) for index, row in enumerate(np.asarray(matrix, "float32"))]


def controls_of_labels(classes, num_attributes):
    """A `Control` of the class, one for each attribute, or none.

    Args:
        classes: sequence of the classes that there are, or `None`.
        num_attributes: number of attributes, or `None`.
    """
    if classes is not None:

        def of_class(point):
            return classes.index(point.label)

        def set_class(point, value):
            return replace(point, label=classes[int(value)])

        texts = tuple(map(str, classes))
        return [Control("class", "labels", of_class, set_class, texts)]

    def attribute(index):
        def read(point):
            return float(point.label[index])

        def write(point, value):
            return replace(point, label=_with(point.label, index, value))

        return Control(f"attribute {index + 1}", "labels", read, write, low=0.0, high=1.0)

    return [attribute(index) for index in range(num_attributes or 0)]


def _with(vector, index, value):
    vector = np.array(vector, "float32")
    vector[index] = value
    return vector


def _dimension(index, **given):
    def read(point):
        return float(point.code[index])

    def write(point, value):
        return replace(point, code=_with(point.code, index, value))

    return Control(read=read, write=write, **given)


def _levels(index, values, **given):
    def read(point):
        return int(np.abs(values - point.code[index]).argmin())

    def write(point, value):
        return replace(point, code=_with(point.code, index, values[int(value)]))

    return Control(read=read, write=write, choices=tuple(f"{v:.3g}" for v in values), **given)


def _categories(start, number, **given):
    part = slice(start, start + number)

    def read(point):
        return int(point.code[part].argmax())

    def write(point, value):
        return replace(point, code=_with(point.code, part, np.eye(number)[int(value)]))

    return Control(read=read, write=write, choices=tuple(map(str, range(number))), **given)
