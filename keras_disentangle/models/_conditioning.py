"""Conditional models: labels as the second input of networks, and as an argument of methods."""

import keras
import numpy as np
from keras import ops

from keras_disentangle.latents.labels import as_labels


def label_form(network):
    """The form in which a network takes labels as its second input.

    0 if it has a single input, `None` for classes (batch,), 1 for classes (batch, 1), and otherwise
    the width of vectors.
    """
    inputs = getattr(network, "inputs", None)
    shapes = [tuple(x.shape) for x in inputs or ()]
    if inputs is None:
        given = (network.get_build_config() or {}).get("input_shape") or ()
        shapes = [tuple(x) for x in given] if given and isinstance(given[0], (tuple, list)) else []
    if len(shapes) < 2:
        return 0
    return None if len(shapes[1]) == 1 else shapes[1][-1]


def check_label_input(name, network, labels):
    """Raises a ValueError unless the second input of a network, if it has one, takes the labels.

    Args:
        name: the argument's name.
        network: the network.
        labels: the `Labels`.
    """
    form = label_form(network)
    known = (0, labels.dim) if labels.num_classes is None else (0, None, 1, labels.dim)
    if form not in known:
        expected = f"vectors (batch, {labels.dim})"
        if labels.num_classes is not None:
            expected = f"classes (batch,) or (batch, 1), or {expected}"
        raise ValueError(
            f"The second input of `{name}` must take {expected}, for {labels}. "
            f"Received: {name} with inputs of the shapes {network.input_shape}"
        )


def inputs_of(network, x, labels=None):
    """The inputs of a network: `x`, or `[x, labels]` in its own form if it takes labels.

    Args:
        network: the network.
        x: its first input.
        labels: as `Labels.read` gives them.

    Raises:
        ValueError: if the network takes labels and there are none.
    """
    form = label_form(network)
    if form == 0:
        return x
    if labels is None:
        raise ValueError(f"`labels` must be given for {network.name!r}. Received: labels=None")
    if "int" in keras.backend.standardize_dtype(labels.dtype):
        if form == 1:
            labels = ops.expand_dims(labels, -1)
        elif form is not None:
            labels = ops.one_hot(labels, form, dtype=network.compute_dtype)
    return [x, labels]


def call_network(network, x, labels=None, **kwargs):
    """Calls a network with `x`, and with the labels if it takes them."""
    if labels is None:
        return network(x, **kwargs)
    return network(inputs_of(network, x, labels), **kwargs)


class Conditional:
    """The part of a model that reads labels: `labels` is its `Labels`, `None` without any.

    Hooks and networks get labels by the keyword `labels`, and only in a conditional model.
    """

    takes_labels = False  # A class that passes labels on to its networks sets it to True.

    def set_labels(self, labels):
        """Sets the argument `labels`; raises a ValueError if it is none, or not supported."""
        labels = as_labels(labels)
        if labels is not None and not self.takes_labels:
            raise ValueError(
                f"`labels` must be None: `{type(self).__name__}` cannot be conditional. "
                f"Received: labels={labels!r}"
            )
        self.labels = labels

    def parted(self, x):
        """A batch as (images or codes, keywords): of a conditional model, labels in a dict."""
        if self.labels is None:
            return x, {}
        if not isinstance(x, (tuple, list)) or len(x) != 2:
            raise ValueError(
                "A conditional model must be called with a pair [x, labels]. "
                f"Received: {type(x).__name__}"
            )
        x, labels = map(ops.convert_to_tensor, x)  # Layers take no arrays beside tensors.
        return x, {"labels": self.labels.read("labels", labels)[0]}

    def joined(self, x, y):
        """The batch (x, y) of `fit` as one argument: what `parted` takes apart."""
        if self.labels is None or isinstance(x, (tuple, list)):
            return x
        if y is None:
            raise ValueError(_missing("y", self.labels))
        return (x, y)

    def look_at_labels(self, tracker, x):
        """Has a `GuardedMean` refuse the batch if its labels are wrong."""
        if self.labels is not None:
            _, is_right = self.labels.read("y", ops.convert_to_tensor(x[1]))
            tracker.look_at_labels(is_right, f"labels must be {self.labels.expected}")

    def given(self, labels, n, networks=None):
        """The argument `labels` of a method as a dict of keywords for hooks.

        Args:
            labels: the argument: labels, one for all, or `None`.
            n: number of labels, one for each image or code.
            networks: those that will be called; if none of them takes labels, none need be given.

        Raises:
            ValueError: if labels are missing, wrong, or given to a model that takes none.
        """
        if self.labels is None:
            if labels is not None:
                raise ValueError(
                    f"`labels` must be None: this {type(self).__name__} is not conditional (it was "
                    f"made without `labels`). Received: labels={labels!r}"
                )
            return {}
        if labels is None:
            if networks is not None and all(label_form(network) == 0 for network in networks):
                return {}
            raise ValueError(_missing("labels", self.labels))
        if _is_symbolic(labels):
            return {"labels": self.labels.read("labels", labels)[0]}
        return {"labels": ops.convert_to_tensor(self.labels.check("labels", labels, n))}

    def drawn(self, labels, n, seed):
        """As `given`; without labels, a conditional model draws classes uniformly."""
        if self.labels is None or labels is not None:
            return self.given(labels, n)
        return {"labels": self.labels.sample(n, seed)}

    def check_takes_labels(self, **networks):
        """Raises a ValueError if the labels of a conditional model reach none of some networks.

        Args:
            **networks: by the argument's name, a network or a list of them.
        """
        if self.labels is None:
            return
        listed = [x for x in networks.values() if not isinstance(x, (list, tuple))]
        listed += [x for found in networks.values() if found not in listed for x in found]
        if all(label_form(network) == 0 for network in listed):
            names = " or ".join(f"`{name}`" for name in networks)
            raise ValueError(
                f"{names} must have a second input, for the labels: `labels` would be without "
                f"effect. Received: networks with one input, and labels={self.labels!r}"
            )

    def checked_labels(self, images, y=None):
        """The labels given to `fit`, checked, as a dict to update its arguments with.

        Args:
            images: the `ImageData` of the images.
            y: the argument `y`.

        Raises:
            ValueError: if labels are missing or wrong.
        """
        if self.labels is None:
            return {}
        for found, n in images.labels:
            self.labels.check("y", found, n)
            _check_number("y", found, n)
        if y is not None and hasattr(images.data, "shape"):  # Keras refuses it otherwise.
            _check_number("y", y, len(images.data))
            return {"y": self.labels.check("y", y)}
        if y is None and not images.labels:
            raise ValueError(_missing("y", self.labels))
        return {}

    def check_batch_labels(self, y, n):
        """Raises a ValueError if the labels of a batch of `n` images are missing or wrong."""
        if self.labels is not None:
            if y is None:
                raise ValueError(_missing("y", self.labels))
            _check_number("y", y, n)
            self.given(y, n)

    def signature(self, spec):
        """The `input_signature` of a model whose images or codes are of a `keras.InputSpec`."""
        if self.labels is None:
            return [spec]
        if self.labels.num_classes is None:
            return [[spec, keras.InputSpec(shape=(None, self.labels.dim), dtype="float32")]]
        return [[spec, keras.InputSpec(shape=(None,), dtype="int32")]]


def _missing(name, labels):
    return (
        f"`{name}` must hold the labels of a conditional model, {labels.expected}. "
        f"Received: {name}=None"
    )


def _check_number(name, labels, n):
    """Raises a ValueError unless there are `n` labels."""
    found = np.shape(labels)[:1]
    if found != (n,):
        raise ValueError(
            f"`{name}` must hold a label for each of the {n} images. "
            f"Received: {f'{found[0]} labels' if found else labels}"
        )


def _is_symbolic(x):
    """Whether the values of a tensor are not known, as while a function is traced."""
    if not hasattr(x, "shape"):
        return False
    if isinstance(x, keras.KerasTensor):
        return True
    try:
        ops.convert_to_numpy(x)
    except Exception:  # The type depends on the backend.
        return True
    return False
