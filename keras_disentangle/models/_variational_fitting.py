"""Checks of the arguments of a variational model's `compile`, `fit` and `evaluate`."""

import keras
import numpy as np

from keras_disentangle._keras_graph import is_within_fit
from keras_disentangle.models._image_data import (
    batch_sizes,
    check_devices,
    check_image_batch,
    check_images,
    warn_of_labels,
)
from keras_disentangle.models._networks import batch_normalizations
from keras_disentangle.penalties import TotalCorrelation
from keras_disentangle.trainers.finite_terms import check_finite
from keras_disentangle.trainers.fit_arguments import checked, fit_arguments
from keras_disentangle.trainers.optimizer_group import get_optimizer, serialize_optimizer

TOO_SMALL = "`batch_size` must leave at least 2 images to the last batch of an epoch too, because "
NORMALISED = "batch normalisation of the vectors of a single image gives zeros"


class VariationalFitting:
    """The part of `VariationalModel` that checks arguments before Keras's own methods run.

    Attributes:
        batch_statistic: the reason, used in errors, why a batch must not be a single image, if a
            term of the model's own is a statistic of the batch; else `None`.
    """

    batch_statistic = None

    images_per_example = 1  # `fit` takes (n, h, w, c); of pairs, (n, 2, h, w, c).

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ):
        """`keras.Model.compile`, with an optimizer and without a loss: the objective is the bound.

        Args:
            optimizer: as in Keras.
            loss, loss_weights, metrics, weighted_metrics: `None`.
            **kwargs: `jit_compile`, `run_eagerly`, `steps_per_execution`, `auto_scale_loss`.

        Raises:
            ValueError: if a loss, weights of losses or metrics are given.
        """
        given = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        for name, value in given.items():
            if value is not None:
                raise ValueError(
                    f"`{name}` must be left out: the model defines its objective (`beta` weights "
                    "its KL term), its terms are logged, and codes are measured by the callback "
                    f"`FactorMetrics`. Received: {name}={value!r}"
                )
        self._auto_scale_loss = kwargs.get("auto_scale_loss", True)
        if optimizer is not None:  # A model that is only evaluated needs none.
            optimizer = get_optimizer("optimizer", optimizer)
        super().compile(optimizer=optimizer, **kwargs)

    def get_compile_config(self):
        if not self.compiled:
            return {}
        return {
            "optimizer": serialize_optimizer(self.optimizer),
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
            "run_eagerly": self.run_eagerly,
            "auto_scale_loss": self._auto_scale_loss,
        }

    def compile_from_config(self, config):
        known = {"jit_compile", "steps_per_execution", "run_eagerly", "auto_scale_loss"}
        optimizer = keras.optimizers.deserialize(config["optimizer"])
        self.compile(optimizer, **{k: v for k, v in config.items() if k in known})
        # This creates its variables, so that a file's values can be loaded into them.
        self.optimizer.build(self.trainable_variables)

    def check_batch(self, x):
        check_image_batch("x", x, self.image_shape, self.bounded)
        self._check_kind("x", x)

    def check_examples(self, x):
        check_image_batch("x", x, self._example_shape, self.bounded)
        self._check_kind("x", x)

    @property
    def _example_shape(self):
        group = () if self.images_per_example == 1 else (self.images_per_example,)
        return (*group, *self.image_shape)

    def fit(self, *args, **kwargs):
        """`keras.Model.fit`; checks the images before it begins (all of an array, else the first
        batch), and the range of each batch while it trains.

        A conditional model also needs labels: `fit(x, y)`, or a data set of pairs (x, y). Others
        ignore labels, with one warning.

        Raises:
            ValueError: if images are not (n, *image_shape), are constant or not finite, or lie
                outside [0, 1] where they must not; if labels are missing or wrong; as
                `SteppedModel.fit`.
        """
        arguments = fit_arguments(*args, **kwargs)
        if arguments.get("class_weight") is not None:
            raise ValueError(
                "`class_weight` must be left out, because nothing is classified: weight each image "
                f"by `sample_weight`. Received: class_weight={arguments['class_weight']!r}"
            )
        size, steps = arguments.get("batch_size"), arguments.get("steps_per_epoch")
        given, split = arguments.get("validation_data"), arguments.get("validation_split")
        split = split if given is None else None
        x = self._examples("x", arguments.get("x"), size, steps=steps, split=split)
        arguments["x"] = x.data
        self._check_batch_size(min(x.sizes) * self.images_per_example)
        self._check_dataset_size(x.sizes)
        size = arguments.get("validation_batch_size") or size
        steps = arguments.get("validation_steps")
        if given is not None:
            given = self._examples("validation_data", given, size, steps=steps, labelled=True)
            arguments["validation_data"] = given.data
            self.checked_labels(given)
            self._check_evaluated(given.sizes)
        elif x.held_out:
            sizes = batch_sizes(x.held_out, size, steps)
            check_devices(sizes)
            self._check_evaluated(sizes)
        warn_of_labels(self, x, arguments.get("y"))
        arguments.update(self.checked_labels(x, arguments.get("y")))
        return super().fit(**arguments)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """`keras.Model.evaluate`: the bound and its terms.

        Raises:
            ValueError: as `fit` for the images, which may be constant; if a term is not finite.
        """
        if is_within_fit(kwargs):
            return super().evaluate(x, y, batch_size, **kwargs)
        kwargs = checked(kwargs)
        steps = kwargs.get("steps")
        images = self._examples("x", x, batch_size, steps=steps, may_be_constant=True)
        y = self.checked_labels(images, y).get("y", y)
        self._check_evaluated(images.sizes)
        found = super().evaluate(images.data, y, batch_size, **kwargs)
        check_finite(self, "Evaluation failed")
        return found

    def predict(self, x, batch_size=None, **kwargs):
        """`keras.Model.predict`: the outputs of `call`.

        A conditional model takes a pair of arrays (images, labels), or a data set of such pairs.

        Raises:
            ValueError: as `fit` for the images, which may be constant.
        """
        kwargs = checked(kwargs)
        steps, pair = kwargs.get("steps"), self.labels is not None
        images = self._images("x", x, batch_size, steps=steps, may_be_constant=True, labelled=pair)
        self.checked_labels(images)
        return super().predict(images.data, batch_size, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        self.check_examples(x)
        self.check_batch_labels(y, len(x))
        return super().test_on_batch(x, y, *args, **kwargs)

    def predict_on_batch(self, x):
        images, labels = (x, None) if self.labels is None else x
        self.check_batch(images)
        self.check_batch_labels(labels, len(images))
        return super().predict_on_batch(x)

    # The labels of a conditional model are inputs of `call`, which in Keras gets `x` alone.

    def train_step(self, *args):
        *state, data = args
        return super().train_step(*self._joined((*state, self.with_images(data))))

    def test_step(self, *args):
        return super().test_step(*self._joined(args))

    def predict_step(self, *args):
        return super().predict_step(*self._joined(args))

    def _joined(self, args):
        """The arguments of a step with labels in the place of Keras's `x`, beside the images."""
        if self.labels is None:
            return args
        *state, data = args
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        return *state, (self.joined(x, y), None, sample_weight)

    def _images(self, name, data, batch_size=None, **options):
        return self._checked(name, data, self.image_shape, batch_size, **options)

    def _examples(self, name, data, batch_size=None, **options):
        return self._checked(name, data, self._example_shape, batch_size, **options)

    def _checked(self, name, data, shape, batch_size, **options):
        found = check_images(name, data, shape, self.bounded, batch_size, **options)
        x = found.data[0] if found.parts > 1 and isinstance(found.data, tuple) else found.data
        self._check_kind(name, x)
        return found

    def _check_kind(self, name, x):
        """Raises a ValueError if an array is not of the observation's kind, such as counts."""
        if isinstance(x, np.ndarray):
            self.observation.check_data(name, x)

    @property
    def _smallest_batch(self):
        """2 if a penalty is a statistic of the batch, or if vectors are batch-normalised, which
        turns a single one into zeros; otherwise 1."""
        if self._statistic_of_batch is not None:
            return 2
        return 1 if all(map(_normalises_pixels, batch_normalizations(self))) else 2

    @property
    def _smallest_evaluated(self):
        """As `_smallest_batch`, of batches to evaluate, which normalisations do not use."""
        return 1 if self._statistic_of_batch is None else 2

    @property
    def _batch_message(self):
        """The error about a smaller batch than `_smallest_batch`; its size is appended."""
        return f"{TOO_SMALL}{self._statistic_of_batch or NORMALISED}. Received: a batch of "

    @property
    def _statistic_of_batch(self):
        """What of the objective is a statistic of the batch, as errors say it, or `None`."""
        found = (x for x in self.penalties if getattr(x, "batch_statistic", False))
        penalty = next(found, None)
        if penalty is None:
            return self.batch_statistic
        return f"the penalty {penalty.name!r} is a statistic of the batch"

    def _check_batch_size(self, size):
        if size is not None and size < self._smallest_batch:
            raise ValueError(f"{self._batch_message}{size}")

    def _check_evaluated(self, sizes):
        """Raises a ValueError unless a model can be evaluated on batches of these sizes."""
        size = min(sizes, default=2) * self.images_per_example
        if size < self._smallest_evaluated:
            raise ValueError(f"{self._batch_message}{size}")
        self._check_dataset_size(sizes)

    def _check_dataset_size(self, sizes):
        """Raises a ValueError if a batch holds more images than a term's data set is said to have.

        The term does so itself only where a compiled step knows the size of its batch.
        """
        size = max(sizes, default=0) * self.images_per_example
        penalties = [x for x in self.penalties if isinstance(x, TotalCorrelation)]
        for term in (self, *penalties):
            known = getattr(term, "dataset_size", None)
            if known is not None and known < size:
                raise ValueError(
                    f"`dataset_size` must be at least the batch's size, {size}. "
                    f"Received: dataset_size={known}"
                )


def _normalises_pixels(layer):
    """Whether a batch normalisation works with one image: it is frozen, or averages pixels too."""
    return not layer.trainable or len(layer.get_build_config()["input_shape"]) > 2
