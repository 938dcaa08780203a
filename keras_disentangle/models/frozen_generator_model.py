"""What every method shares that learns directions in the latent space of a frozen generator."""

import keras
import numpy as np
from keras import ops, tree

from keras_disentangle._arguments import check_flag, check_int, check_weight
from keras_disentangle.latents import as_space, orthogonalize
from keras_disentangle.layers import LatentDirections
from keras_disentangle.models._conditional_generator import class_indices, inputs_of
from keras_disentangle.models._image_data import check_devices
from keras_disentangle.models._image_range import check_range, from_range
from keras_disentangle.models._networks import check_order, serialize
from keras_disentangle.models._parts import DecoderModel
from keras_disentangle.trainers import PhasedModel
from keras_disentangle.trainers.inference import inference


class FrozenGeneratorModel(DecoderModel, PhasedModel):
    r"""Base of models that learn directions: draws $z$, a direction, a step $\eta$ and a class.

    Only the networks that a subclass names in `phases` are trained: the directions, and any further
    networks of its own. The generator is called in inference mode.

    Attributes:
        generator, directions, space: as given.
        latent_dim: width of the latent space.
        num_classes: number of the generator's classes; `None` if it has none, or it is not known.
        labels: tuple of the classes that are drawn, `None` without classes.
        image_range: (low, high) of the generator's images, or `None`.

    Args: see `DirectionDiscovery`.
    """

    def __init__(
        self,
        generator,
        directions=None,
        space=None,
        labels=None,
        num_classes=None,
        argument=0,
        path_size=5.0,
        image_range="auto",
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        if not (isinstance(generator, keras.Layer) and generator.built):
            raise ValueError(
                f"`generator` must be a built Keras model. Received: generator={generator}"
            )
        if generator.trainable_variables:
            raise ValueError(
                "`generator` must be frozen: set `generator.trainable = False`, and give a copy if "
                "it is to be trained elsewhere. Received: a generator with "
                f"{len(generator.trainable_variables)} trainable variables"
            )
        check_order("generator", generator)
        latent_dim, self._index, self._label_size = inputs_of(generator, argument)
        if space is None and latent_dim is None:
            raise ValueError(
                "`space` must be given with a generator that does not define the shape of its "
                f"input. Received: space=None, generator={generator}"
            )
        space = as_space(space, latent_dim)
        if latent_dim not in (None, space.dim):
            raise ValueError(
                f"`space` must be as wide as the latent input of `generator`, {latent_dim}. "
                f"Received: {space}, of width {space.dim}"
            )
        if directions is None:
            directions = LatentDirections(space.dim, seed=seed, name="directions")
        is_right = isinstance(directions, LatentDirections) and directions.latent_dim == space.dim
        if not is_right:
            raise ValueError(
                "`directions` must be a `LatentDirections` in a latent space of width "
                f"{space.dim}. Received: directions={directions!r}, of width "
                f"{getattr(directions, 'latent_dim', None)}"
            )
        self.generator = generator
        self.directions = directions
        self.space = space
        self.latent_dim = space.dim
        self.argument = argument
        self.num_classes, self.labels = self._classes(labels, num_classes)
        self.path_size = check_weight("path_size", path_size)
        code_dim = space.dim if self.labels is None else None
        self.image_range, _ = check_range(image_range, generator, code_dim)
        self.built = True

    # Training

    def prepare(self, x):
        """A dict of latents z (n, latent_dim), indices of directions (n,), steps (n, 1), labels."""
        n = ops.shape(x)[0]
        return {
            **self.draw_latents(n),
            "index": self.draw(self._draw_index, n),
            "step": self.draw(self._draw_step, n),
        }

    def draw_latents(self, n):
        """A dict of latents z (n, latent_dim) and labels (n,), `None` without classes."""
        seed, labels = self.seed_generator, None
        if self.labels is not None:
            labels = self.draw(lambda n: self._draw_labels(n, seed), n)
        return {"z": self.draw(lambda n: self.space.sample(n, seed=seed), n), "labels": labels}

    def steps_along(self, batch):
        """w (n, num_directions): the step along its direction, and 0 along the others."""
        return batch["step"] * ops.one_hot(batch["index"], self.directions.num_directions)

    def inputs(self, z, labels):
        """The generator's inputs, `z` or `z` and labels, in the structure that it expects."""
        flat = [z] if self.labels is None else [z, self._encoded(labels)]
        flat = flat[::-1] if self._index else flat
        structure = z if self.labels is None else flat
        if getattr(self.generator, "inputs", None) is not None:
            # A `Sequential` model has no such attribute, but a single input.
            structure = getattr(self.generator, "input", z)
        return tree.pack_sequence_as(structure, flat)

    def compile(self, directions_optimizer=None, **kwargs):
        """Sets the optimizer.

        Args:
            directions_optimizer: an optimizer, or its name; by default that of the authors, Adam
                with the rate `learning_rate`.
            **kwargs: `jit_compile`, `steps_per_execution`, `run_eagerly`, as in Keras.
        """
        if directions_optimizer is None:
            directions_optimizer = keras.optimizers.Adam(self.learning_rate)
        super().compile(directions_optimizer=directions_optimizer, **kwargs)

    def fit(self, steps=1000, *, batch_size=16, epochs=1, **kwargs):
        """Trains the directions, without data: latents are drawn in the step.

        Args:
            steps: number of training steps of an epoch, >= 1.
            batch_size: number of latents of a step, >= 1.
            epochs: as in `keras.Model.fit`.
            **kwargs: other arguments of `keras.Model.fit`, such as `callbacks` and `verbose`.

        Raises:
            ValueError: if data are given, or a number is out of range; if a term of the objective
                becomes non-finite.
        """
        given = [name for name in ("x", "y", "steps_per_epoch", "shuffle") if name in kwargs]
        if given:
            raise ValueError(
                "`fit` takes no data, and `steps` is the length of an epoch. "
                f"Received: the arguments {given}"
            )
        batch_size = check_int("batch_size", batch_size)
        check_devices([batch_size])
        data = _NoData(check_int("steps", steps), batch_size)
        return super().fit(x=data, epochs=epochs, **kwargs)

    # Use

    def call(self, inputs, training=False):
        """The generator's images for its inputs, in its own range."""
        return self.generator(inputs, training=False)

    @inference
    def decode(self, z, labels=None):
        """Latents (n, latent_dim) to images (n, h, w, c), float32, in [0, 1] if its range is known.

        Nothing is clipped: images of a generator without a bounded activation may exceed the range
        that was given for it.

        Args:
            z: float tensor.
            labels: for a class-conditional generator, a class or (n,) of them; may be left out if
                directions are learnt for a single class.

        Raises:
            ValueError: if the shape is wrong, or the labels do not fit the generator.
        """
        z = self._checked_latents(z)
        if self.labels is None:
            if labels is not None:
                raise ValueError(
                    "`labels` must be None for a generator without classes. "
                    f"Received: labels={labels!r}"
                )
        else:
            labels = self._checked_labels(labels, z.shape[0])
        return self.images_of(z, labels)

    def images_of(self, z, labels=None):
        images = self.call(self.inputs(z, labels))
        return from_range(ops.cast(images, "float32"), self.image_range)

    def label_inputs(self):
        return [] if self.labels is None else [keras.Input((), dtype="int32", name="labels")]

    @inference
    def sample(self, n, labels=None, seed=None):
        """Draws `n` >= 1 images, and classes for them unless `labels` are given, as for `decode`.

        `seed` is an integer or `None`.
        """
        z = self.space.sample(check_int("n", n), seed=seed)
        if labels is None and self.labels is not None:
            labels = self._draw_labels(n, seed)
        return self.decode(z, labels)

    @inference
    def edit(self, z, direction, amount, orthogonal=False):
        """Moves latents along a learnt direction.

        Args:
            z: latents (n, latent_dim).
            direction: index of the direction.
            amount: size of the move, in units of the latent space: a number or (n,).
            orthogonal: whether `z` is made orthogonal to the direction first. All moves then start
                from the same coordinate along it, as in Figure 7 of the paper.

        Returns:
            Float32 tensor (n, latent_dim).

        Raises:
            ValueError: if there is no such direction, or a shape is wrong.
        """
        index = check_int("direction", direction, minimum=0)
        if index >= self.directions.num_directions:
            raise ValueError(
                f"`direction` must be below {self.directions.num_directions}. "
                f"Received: direction={direction}"
            )
        z, amount = self._checked_latents(z), ops.convert_to_tensor(amount, "float32")
        if tuple(amount.shape) not in ((), (z.shape[0],)):
            raise ValueError(
                f"`amount` must be a number, or {z.shape[0]} of them, one for each latent. "
                f"Received: amount.shape={tuple(amount.shape)}"
            )
        row = self.directions.matrix()[index]
        if check_flag("orthogonal", orthogonal):
            z = orthogonalize(z, row)
        return z + ops.reshape(amount, (-1, 1)) * row

    # Parts

    def _draw_index(self, n):
        return keras.random.randint(
            (n,), 0, self.directions.num_directions, seed=self.seed_generator
        )

    def _draw_step(self, n):
        return keras.random.uniform(
            (n, 1), -self.path_size, self.path_size, seed=self.seed_generator
        )

    def _draw_labels(self, n, seed):
        which = keras.random.randint((n,), 0, len(self.labels), seed=seed)
        return ops.take(ops.convert_to_tensor(self.labels, "int32"), which)

    def _encoded(self, labels):
        """Class indices (n,) in the form of the generator's input."""
        if self._label_size is None:
            return labels
        if self._label_size == 1:
            return ops.expand_dims(labels, -1)
        return ops.one_hot(labels, self._label_size)

    def _classes(self, labels, num_classes):
        """The number of classes, or `None`, and the tuple of those that are drawn, or `None`."""
        is_conditional = self._label_size != 0
        if not is_conditional and getattr(self.generator, "inputs", None) is None:
            # Such a generator may take labels nevertheless.
            is_conditional = not (labels is None and num_classes is None)
            self._label_size = None
        if not is_conditional:
            if labels is not None or num_classes is not None:
                raise ValueError(
                    "`labels` and `num_classes` must be None for a generator with one input. "
                    f"Received: labels={labels!r}, num_classes={num_classes!r}"
                )
            return None, None
        known = self._label_size if (self._label_size or 0) > 1 else None
        known = getattr(self.generator, "num_classes", None) if known is None else known
        if num_classes is not None:
            num_classes = check_int("num_classes", num_classes)
            if known not in (None, num_classes):
                raise ValueError(
                    f"`num_classes` must be that of `generator`, {known}. "
                    f"Received: num_classes={num_classes}"
                )
        num_classes = known if num_classes is None else num_classes
        if labels is None:
            if num_classes is None:
                raise ValueError(
                    "`num_classes` or `labels` must be given with a class-conditional generator "
                    "that does not define its number of classes. Received: neither"
                )
            return num_classes, tuple(range(num_classes))
        return num_classes, tuple(class_indices(labels, num_classes).tolist())

    def _checked_latents(self, z):
        z = ops.convert_to_tensor(z, "float32")
        if len(z.shape) != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(
                f"`z` must have the shape (n, {self.latent_dim}). "
                f"Received: z.shape={tuple(z.shape)}"
            )
        return z

    def _checked_labels(self, labels, n):
        if labels is None:
            if len(self.labels) > 1:
                raise ValueError(
                    "`labels` must be given where there are several classes. Received: labels=None"
                )
            labels = self.labels
        labels = class_indices(labels, self.num_classes)
        if len(labels) not in (1, n):
            raise ValueError(
                f"`labels` must be a class or {n} of them, one for each latent. "
                f"Received: {len(labels)} labels"
            )
        return ops.convert_to_tensor(np.broadcast_to(labels, (n,)).astype("int32"))

    # Saving

    @property
    def input_signature(self):
        inputs = getattr(self.generator, "input", None)
        if inputs is None:
            return [keras.InputSpec(shape=(None, self.latent_dim), dtype="float32")]
        specs = tree.map_structure(lambda x: keras.InputSpec(shape=x.shape, dtype=x.dtype), inputs)
        return [specs]

    @classmethod
    def from_config(cls, config):
        config = {k: keras.saving.deserialize_keras_object(v) for k, v in config.items()}
        config["generator"].trainable = False
        return cls(**config)

    def get_config(self):
        return {
            **super().get_config(),
            "generator": serialize(self.generator),
            "directions": serialize(self.directions),
            "space": serialize(self.space),
            "labels": None if self.labels is None else list(self.labels),
            "num_classes": self.num_classes,
            "argument": self.argument,
            "path_size": self.path_size,
            "image_range": self.image_range,
        }


class _NoData(keras.utils.PyDataset):
    """Batches of zeros, of which only the size matters."""

    def __init__(self, num_batches, batch_size):
        super().__init__()
        self._num_batches, self._batch_size = num_batches, batch_size

    def __len__(self):
        return self._num_batches

    def __getitem__(self, index):
        return np.zeros((self._batch_size,), "float32")
