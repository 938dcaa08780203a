"""Models that count their training steps; the weights of their terms are ramps over that count."""

import keras
import numpy as np

from keras_disentangle._keras_graph import is_saving_to_hdf5, is_within_fit, strategy_of
from keras_disentangle._weights_files import check_finite as check_finite_file
from keras_disentangle._weights_files import check_weights_file
from keras_disentangle.schedules import read
from keras_disentangle.trainers._backend import backend
from keras_disentangle.trainers.array_batches import cut, cut_for_fit
from keras_disentangle.trainers.finite_terms import check_finite
from keras_disentangle.trainers.fit_arguments import (
    drawn_in_order,
    fit_arguments,
    training_callbacks,
)
from keras_disentangle.trainers.held_images import Rows, holding
from keras_disentangle.trainers.objective_model import ObjectiveModel

RAMP = "ramp_"  # followed by a ramp's name: the key in a file of its four numbers


class SteppedModel(ObjectiveModel):
    """Base of all models of this library: how they are trained, and how ramps are saved.

    A file holds the ramps by name. Weights can therefore be loaded into a model with other ramps:
    ramps that are not in the file keep their values, and those that the model lacks are ignored.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # The images on the device that `fit` is training on, and those that it was last.
        self.held, self.held_before = None, lambda: None

    def check_finite(self):
        """Raises a ValueError that names the term and the step if one was not finite this epoch."""
        check_finite(self)

    def check_batch(self, x):
        """Raises a ValueError unless `x` is a batch that the model takes; a hook."""

    def check_examples(self, x):
        """Raises a ValueError unless `x` is a batch to train on; a hook, if that is another."""
        self.check_batch(x)

    def check_batch_labels(self, y, n):
        """Raises a ValueError unless the model takes `y` with a batch of `n` images; a hook."""

    def fit(self, *args, **kwargs):
        """`keras.Model.fit`; ends with a ValueError when a term of the objective is not finite.

        Arrays that are large or lie in a file (memory maps, data sets of h5py) are neither copied
        nor read as a whole: the rows of a batch are read when it is needed.

        Raises:
            ValueError: as above; if a batch cannot be divided evenly among devices; if processes of
                PyTorch that train together have other models, seeds or arguments, batches of other
                sizes, or more or fewer of them; if `validation_split` leaves no row on a side.
        """
        backend.build_optimizer(self)
        arguments = fit_arguments(*args, **kwargs)
        arguments = cut_for_fit(arguments)
        x, shuffle = arguments.get("x"), arguments.get("shuffle", True)
        callbacks = training_callbacks(arguments.pop("callbacks", None), x, shuffle)
        with (
            drawn_in_order(arguments) as arguments,
            backend.training(self, arguments),
            holding(self, arguments) as arguments,
            backend.readable_errors(),
        ):
            return super().fit(callbacks=callbacks, **arguments)

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        **kwargs,
    ):
        """`keras.Model.evaluate`; takes the rows of arrays as `fit` does."""
        within_fit = is_within_fit(kwargs)
        if not within_fit:
            x, y, sample_weight = cut(x, y, sample_weight, batch_size, steps)
        with backend.evaluation(self, within_fit):
            return super().evaluate(x, y, batch_size, verbose, sample_weight, steps, **kwargs)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """`keras.Model.predict`; takes the rows of arrays as `fit` does."""
        x, _, _ = cut(x, batch_size=batch_size, steps=steps)
        return super().predict(x, batch_size, verbose, steps, callbacks)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        """`keras.Model.train_on_batch`.

        Raises:
            ValueError: as `fit`.
        """
        self.check_examples(x)
        self.check_batch_labels(y, len(x))
        with backend.readable_errors():
            return super().train_on_batch(x, y, *args, **kwargs)

    def make_train_function(self, force=False):
        is_new = force or self.train_function is None
        super().make_train_function(force)
        if is_new:
            self.train_function = backend.train_function(self, self.train_function)

    def train_step(self, *args):
        *state, data = args
        data = self.with_images(data)
        return backend.keras_train_step(self, super().train_step, *state, data)

    def with_images(self, data):
        """A batch with images in place of `Rows` of those on the device; others as they are."""
        if self.held is None or not isinstance(data[0], Rows):
            return data
        return self.held[data[0].index], *data[1:]

    def test_step(self, *args):
        return backend.keras_test_step(self, super().test_step, *args)

    def get_metrics_result(self):
        return backend.metrics_result(self, super().get_metrics_result)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """As Keras's, which only its TensorFlow trainer has, for strategies. That one averages the
        first batch over the replicas, which fails for images with labels on several workers; one
        replica's part is enough to build what is not built."""
        batch = backend.part_of_batch(strategy_of(self), iterator, data_batch)
        super()._maybe_symbolic_build(data_batch=batch)

    def _initialize_ddp(self):
        """Nothing: Keras from 3.16 on would wrap the model, which averages gradients itself."""

    # Saving

    def load_weights(self, filepath, *args, **kwargs):
        """`keras.Model.load_weights`.

        Raises:
            ValueError: if the file is missing or damaged, or holds a number that is not finite.
        """
        if str(filepath).endswith((".h5", ".hdf5", ".keras", ".weights.json")):
            check_weights_file(filepath)
        return super().load_weights(filepath, *args, **kwargs)

    def save(self, filepath, *args, **kwargs):
        """`keras.Model.save`, to a `.keras` file.

        Raises:
            ValueError: if the path is that of an HDF5 file, which cannot hold several networks.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(f"{_NO_HDF5} Received: filepath={filepath}")
        return super().save(filepath, *args, **kwargs)

    @property
    def input_signature(self):
        """The inputs of `call` for `export`: a list of `keras.InputSpec`; `None`: as last given."""
        return None

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """`keras.Model.export` of `call`, whether or not the model was called before."""
        kwargs.setdefault("input_signature", self.input_signature)
        return super().export(filepath, format=format, **kwargs)

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for name, ramp in self.ramps.items():
            store[RAMP + name] = np.array([read(number) for number in ramp.variables])

    def load_own_variables(self, store):
        # A model is loaded before its parts, so nothing was changed yet. `load_model` has no other
        # hook.
        if hasattr(store, "h5_file"):
            check_finite_file(store.h5_file)
        given = {key: store[key] for key in store.keys()}
        # Keras numbers the variables it saves; the other keys are ramps and entries of subclasses.
        super().load_own_variables({k: v for k, v in given.items() if k.isdigit()})
        for name, ramp in self.ramps.items():
            for variable, number in zip(ramp.variables, given.get(RAMP + name, ()), strict=False):
                variable.assign(number)

    def get_config(self):
        # `keras.saving.save_model` does not call `save`. Its file is open by now.
        if is_saving_to_hdf5():
            raise ValueError(f"{_NO_HDF5} Received: a path that ends in .h5 or .hdf5")
        return super().get_config()

    @classmethod
    def from_config(cls, config):
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})


_NO_HDF5 = (
    "`filepath` must end in .keras: whole models cannot be saved in HDF5 (weights can, by "
    "`save_weights`)."
)
