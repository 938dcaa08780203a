"""Metrics that log the terms of an objective, and record when one is no longer finite."""

import keras
from keras import ops

from keras_disentangle._image_format import TOLERANCE
from keras_disentangle.schedules import read


class FiniteMean(keras.metrics.Mean):
    """The mean of a term over an epoch; keeps the first training step at which it was not finite.

    Args:
        name: the term's name in the logs.
        step: function that gives the model's step counter.
    """

    def __init__(self, name, step):
        super().__init__(name=name)
        self._step = step
        # Read by callbacks that need to know whether more is better, as in Keras's own metrics: all
        # terms are minimised except bounds on information.
        self._direction = "up" if name.startswith("information") else "down"
        # 0 if there was none, otherwise the step + 1.
        self.not_finite = self.add_variable(
            shape=(),
            initializer="zeros",
            dtype="int32",
            aggregation="only_first_replica",
            name="not_finite",
        )

    def update_state(self, values, sample_weight=None):
        values = ops.stop_gradient(ops.convert_to_tensor(values))
        super().update_state(values, sample_weight)
        self._notice(ops.logical_not(ops.all(ops.isfinite(values))))

    def _notice(self, is_bad):
        known, step = ops.convert_to_tensor(self.not_finite), ops.cast(self._step(), "int32")
        self.not_finite.assign(ops.where((known == 0) & is_bad, step + 1, known))

    def reset_state(self):
        # `keras.metrics.Mean.reset_state` does not reset variables of subclasses.
        for variable in self.variables:
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    def first_bad(self):
        """The first step that was not finite on any replica, plus 1; 0 if there is none."""
        return min((step for step in by_replica(self.not_finite) if step), default=0)

    def refusal(self):
        """The reason to refuse the data of the term; "" if they are accepted."""
        return ""

    def hint(self):
        """A possible fault of the data of the term; "" if none is known."""
        return ""


class GuardedMean(FiniteMean):
    """The mean of a term, which becomes NaN, and so ends a run, when a batch of images is refused.

    It is refused if images are out of range or too few. `look` checks every batch, whatever its
    source, inside the compiled step; the weights have then been updated once with that batch.

    Args:
        name, step: as in `FiniteMean`.
        labelled: whether labels are checked too, by `look_at_labels`.
    """

    def __init__(self, name, step, labelled=False):
        super().__init__(name, step)
        self._bounded, self._message, self._labels = None, "", ""
        # How far images were below 0 and above 1, whether that was refused, and the size of a batch
        # that was too small, plus 1; all 0 if no batch was out of range or too small.
        self.below, self.above, self.refused, self.too_small = (
            self.add_variable(
                shape=(), initializer="zeros", aggregation="only_first_replica", name=part
            )
            for part in ("below", "above", "refused", "too_small")
        )
        self.mislabelled = None
        if labelled:
            self.mislabelled = self.add_variable(
                shape=(),
                initializer="zeros",
                aggregation="only_first_replica",
                name="mislabelled",
            )

    def look(self, images, bounded, smallest=1, message=""):
        """Checks a batch, and records the result for `refusal` and `hint`.

        Args:
            images: the batch.
            bounded: the reason why images must lie in [0, 1], as used in errors, or `None`;
                `False` if not even large numbers are unlikely.
            smallest: smallest number of images in a batch.
            message: the error about fewer images, to which their number is appended.
        """
        images = ops.stop_gradient(ops.cast(images, "float32"))
        below, above = -ops.min(images), ops.max(images) - 1.0
        self.below.assign(ops.maximum(self.below, below))
        self.above.assign(ops.maximum(self.above, above))
        self._bounded = bounded
        if bounded:
            is_out = ops.cast(ops.maximum(below, above) > TOLERANCE, "float32")
            self.refused.assign(ops.maximum(self.refused, is_out))
        if smallest > 1:
            self._message = message
            size = ops.cast(ops.shape(images)[0], "float32")
            found = ops.where(size < smallest, size + 1.0, 0.0)
            self.too_small.assign(ops.maximum(self.too_small, found))

    def look_at_labels(self, is_right, message):
        """Records whether the labels of a batch are right, and the error if they are not."""
        self._labels = message
        wrong = 1.0 - ops.cast(is_right, "float32")
        self.mislabelled.assign(ops.maximum(self.mislabelled, wrong))

    def update_state(self, values, sample_weight=None):
        super().update_state(values, sample_weight)
        # A batch that was too small may have no values.
        refused = ops.maximum(self.refused, self.too_small) > 0
        if self.mislabelled is not None:
            refused = refused | (self.mislabelled > 0)
        total = ops.convert_to_tensor(self.total)
        self.total.assign(ops.where(refused, float("nan"), total))
        self._notice(refused)

    def refusal(self):
        if size := max(by_replica(self.too_small)):
            return f"{self._message}{size - 1:g}"
        if self.mislabelled is not None and max(by_replica(self.mislabelled)):
            return f"{self._labels}. Received: others"
        if not max(by_replica(self.refused)):
            return ""
        return (
            f"images must lie in [0, 1] {self._bounded} (divide uint8 images by 255). "
            f"Received: {self._seen()}"
        )

    def hint(self):
        # A model of unbounded images takes any numbers, but such large ones are unlikely.
        is_large = self._bounded is not False and max(by_replica(self.above)) > 15
        return f"the images had {self._seen()}: divide uint8 images by 255" if is_large else ""

    def _seen(self):
        below, above = (max(by_replica(variable)) for variable in (self.below, self.above))
        seen = [f"down to {-below:g}"] if below > TOLERANCE else []
        seen += [f"up to {1 + above:g}"] if above > TOLERANCE else []
        return f"values {' and '.join(seen)}"


class PresentValue(keras.metrics.Mean):
    """The value of the last update, not the mean over the epoch; for ramps."""

    def update_state(self, value):
        # A quotient, so that summing the variables over replicas does not change the value.
        self.total.assign(value)
        self.count.assign(1.0)


def by_replica(variable):
    """The values of a scalar variable: one, or several where replicas of TensorFlow differ."""
    value = variable.value
    is_mirrored = keras.backend.backend() == "tensorflow" and hasattr(value, "values")
    return [read(part) for part in (value.values if is_mirrored else [value])]
