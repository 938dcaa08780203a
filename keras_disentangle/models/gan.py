"""Generative adversarial networks."""

import numbers
from functools import partial

import keras
from keras import ops

from keras_disentangle._arguments import check_int, check_weight, is_choice
from keras_disentangle.latents import as_space
from keras_disentangle.losses._layer_activations import LayerActivations
from keras_disentangle.losses.adversarial import (
    OBJECTIVES,
    discriminator_loss,
    generator_loss,
    r1_penalty,
    wgan_gp_penalty,
)
from keras_disentangle.models._adversarial_fitting import AdversarialFitting
from keras_disentangle.models._adversarial_use import AdversarialUse
from keras_disentangle.models._auxiliary_classifier import AuxiliaryClassifier
from keras_disentangle.models._conditioning import Conditional, call_network, inputs_of
from keras_disentangle.models._hessian_shorthand import ARGUMENTS_OF_RAMPS, as_penalties
from keras_disentangle.models._image_range import RANGES, check_range, from_range, to_range
from keras_disentangle.models._networks import (
    check_apart,
    check_shape,
    discriminator_shapes,
    network_shapes,
    output_activation,
    serialize,
)
from keras_disentangle.models._running_mean import check_copy, follow, frozen_copy
from keras_disentangle.penalties import GeneratorPenalty
from keras_disentangle.trainers import Phase, PhasedModel
from keras_disentangle.trainers._backend import backend
from keras_disentangle.trainers.term_metrics import GuardedMean


@keras.saving.register_keras_serializable("keras_disentangle")
class GAN(AdversarialUse, AdversarialFitting, AuxiliaryClassifier, Conditional, PhasedModel):
    r"""Generator and discriminator, trained in turn.

    A step updates the discriminator `discriminator_steps` times, then the generator; the last
    discriminator update and the generator's use the same forward pass of the generator. With
    several discriminator updates, the batch is cut into equal parts, one for each (a remainder is
    dropped); the generator is updated on the last part.

    Images are floats in [0, 1] in all methods; for a generator that ends in tanh, the model maps
    them to [-1, 1] internally.

    With `labels` the model is conditional: `fit` takes images and labels. The networks are then
    called with a list of two inputs, of which the second are the labels: classes (batch,) or
    (batch, 1), or vectors (batch, d), as its shape says; a network with one input gets no labels.
    Every generated image of a step has the label of one of its real images, so that both players
    see the classes, or attributes, as often as they are in the data.

    Args:
        generator: network (batch, space.dim) to images (batch, h, w, c).
        discriminator: network from images to logits (batch, 1) or (batch, ...), or to a list
            [logits, features].
        space: the `LatentSpace`; by default normal noise of the generator's input width.
        objective: `"non_saturating"`, `"saturating"`, `"hinge"` or `"wasserstein"`.
        gradient_penalty: `None`, `"r1"` (at real images) or `"wgan_gp"` (between real and
            generated ones). Both are of the gradient of each image's logit; batch normalisation in
            the discriminator mixes the images of a batch: use another normalisation there.
        penalty_weight: weight of the gradient penalty, >= 0: the ramp `penalty_weight`.
        discriminator_steps: number of discriminator updates in a step, >= 1.
        ema_decay: `None`, or the decay per step, in [0, 1), of a running mean of the generator's
            weights (`ema_generator`), which `sample` and `decode` then use.
        image_range: (low, high) of the generator's images; `None` for data that are not images in
            [0, 1], which are used as they are; `"auto"` infers it from the generator's last
            activation (sigmoid, tanh) or, if that is not known, from its images, with a warning;
            it is `None` if the images are not bounded.
        hessian_penalty: `None`, or a dict of keywords of `kd.penalties.HessianPenalty` (`{}` for
            its defaults): a shorthand for that penalty, with a weight that begins at 0.
        seed: integer seed of the codes, or `None`.
        penalties: list of `kd.penalties.GeneratorPenalty` objects added to the generator's
            objective, at the codes on which it is trained.
        labels: `None`; or a `kd.latents.Labels`, or a number of classes.
        auxiliary_head: `None`, or a layer from the discriminator's features to logits of the
            classes, (batch, num_classes), such as a `Dense` layer (Odena et al., 2017). It is
            trained with the discriminator on real and generated images, and the generator on its
            loss for generated ones, which are logged as `class_loss_real` and `class_loss_fake`.
        auxiliary_weight: weight of these losses, >= 0: the ramp `auxiliary_weight`.

    Raises:
        ValueError: if the networks, the space or the labels do not fit each other, or another
            argument is out of range.

    Example:

    >>> model = GAN(generator, discriminator, gradient_penalty="r1")
    >>> model.compile(generator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    ...               discriminator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5))
    >>> model.fit(images, batch_size=16)

    References: Goodfellow et al., 2014; Gulrajani et al., 2017 (WGAN-GP); Mescheder et al., 2018
    (R1); Mirza & Osindero, 2014, and Miyato & Koyama, 2018 (conditional discriminators:
    `kd.layers.ProjectionHead`); Odena et al., 2017 (AC-GAN).
    """

    takes_labels = True
    penalty_kinds = (GeneratorPenalty,)
    arguments_of_ramps = ARGUMENTS_OF_RAMPS

    def __init__(
        self,
        generator,
        discriminator,
        space=None,
        objective="non_saturating",
        gradient_penalty=None,
        penalty_weight=10.0,
        discriminator_steps=1,
        ema_decay=None,
        image_range="auto",
        hessian_penalty=None,
        seed=None,
        penalties=(),
        labels=None,
        auxiliary_head=None,
        auxiliary_weight=1.0,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.set_labels(labels)
        code_shape, image_shape = network_shapes("generator", generator, labels=self.labels)
        space = as_space(space, code_shape[0])
        if code_shape != (space.dim,):
            raise ValueError(
                f"The input of `generator` must have the width of `space`, {space.dim}. "
                f"Received: an input of shape {('batch', *code_shape)} for {space}"
            )
        input_shape, self.features_shape = discriminator_shapes(discriminator, self.labels)
        check_shape("The input of `discriminator`", image_shape, input_shape)
        if not is_choice(objective, OBJECTIVES):
            raise ValueError(
                f"`objective` must be one of {OBJECTIVES}. Received: objective={objective!r}"
            )
        if not is_choice(gradient_penalty, (None, "r1", "wgan_gp")):
            raise ValueError(
                '`gradient_penalty` must be None, "r1" or "wgan_gp". '
                f"Received: gradient_penalty={gradient_penalty!r}"
            )
        is_decay = isinstance(ema_decay, numbers.Real) and 0 <= ema_decay < 1
        if ema_decay is not None and (isinstance(ema_decay, bool) or not is_decay):
            raise ValueError(
                f"`ema_decay` must be None or in [0, 1). Received: ema_decay={ema_decay!r}"
            )
        if output_activation(discriminator) in RANGES:
            raise ValueError(
                "`discriminator` must give logits, so it must not end in an activation (the "
                "objective applies the sigmoid itself). Received: a network that ends in "
                f"{output_activation(discriminator)}"
            )
        check_apart(generator=generator, discriminator=discriminator)
        self.check_takes_labels(generator=generator)
        if auxiliary_head is None:
            self.check_takes_labels(discriminator=discriminator)
        self.generator = generator
        self.discriminator = discriminator
        self.space = space
        self.latent_dim = space.dim
        self.image_shape = image_shape
        self.objective = objective
        self.gradient_penalty = gradient_penalty
        self.penalty_weight = check_weight("penalty_weight", penalty_weight)
        self.discriminator_steps = check_int("discriminator_steps", discriminator_steps)
        self.ema_decay = ema_decay
        self.image_range, self._range_from = check_range(
            image_range, generator, space.dim, self.labels
        )
        self.ema_generator = None if ema_decay is None else frozen_copy(generator)

        self.trackers["discriminator_loss"] = GuardedMean(
            "discriminator_loss", lambda: self.step, labelled=self.labels is not None
        )
        self.add_terms("generator_loss")
        if objective != "wasserstein":
            self.trackers["discriminator_accuracy"] = keras.metrics.Mean("discriminator_accuracy")
            self.trackers["discriminator_accuracy"]._direction = "up"
        if gradient_penalty is not None:
            self.add_terms("gradient_penalty")
            self.add_ramp("penalty_weight", self.penalty_weight)
        self.add_auxiliary_head(auxiliary_head, auxiliary_weight)
        self.add_penalties(penalties)
        self.hessian_penalty = hessian_penalty
        self.add_penalties(self.shorthand(hessian_penalty), given=False)
        self.built = True

    # Training

    def phases(self):
        if self.ema_generator is not None:
            check_copy(self.ema_generator, self.generator)
        judges = (self.discriminator, *self.auxiliary_heads)
        moves = [
            Phase("discriminator", judges, partial(self.discriminator_objective, i))
            for i in range(self.discriminator_steps)
        ]
        return [*moves, Phase("generator", (self.generator,), self.generator_objective, True)]

    def prepare(self, x):
        """For each discriminator update: real images, codes, and positions between images.

        The entry `given` has the keywords of a conditional model's networks: the images' labels.
        """
        batch, (x, given) = x, self.parted(x)
        size = ops.shape(x)[0]
        if x.shape[0] is not None:
            self._check_batch_size(x.shape[0])
        else:
            backend.require(size >= self._smallest_batch, self._batch_message, size)
        # XLA has no such assertion: there, the batch is refused after it was trained on.
        tracker, smallest = self.trackers["discriminator_loss"], self._smallest_batch
        tracker.look(x, self.bounded, smallest, self._batch_message)
        self.look_at_labels(tracker, batch)
        n = size // self.discriminator_steps
        x = self._to_range(ops.cast(x, "float32"))
        parts = []
        for i in range(self.discriminator_steps):
            rows = slice(i * n, (i + 1) * n)
            part = {"real": x[rows], "codes": self.draw(self._draw_codes, n)}
            part["given"] = {name: labels[rows] for name, labels in given.items()}
            if self.gradient_penalty == "wgan_gp":
                part["mix"] = self.draw(self._draw_mix, n)
            parts.append(part)
        seed = self.seed_generator
        parts[-1]["directions"] = self.draw_directions(n, self.latent_dim, seed)
        return parts

    def share(self, batch):
        """The images of the last discriminator update, which the generator's update uses too."""
        return self.generate(batch[-1]["codes"], **batch[-1]["given"])

    def discriminator_objective(self, index, batch, fake):
        part, is_last = batch[index], index == self.discriminator_steps - 1
        if not is_last:
            fake = ops.stop_gradient(self.generate(part["codes"], **part["given"]))
        discriminate = partial(self.discriminate, **part["given"])
        if self.gradient_penalty == "r1":
            (logits, real_features), gradients = self.input_gradient(discriminate, part["real"])
        else:
            logits, real_features = discriminate(part["real"])
        fake_logits, features = discriminate(fake)
        loss = discriminator_loss(self.objective, logits, fake_logits)
        self.track("discriminator_loss", loss)
        if self.objective != "wasserstein":
            right = [ops.cast(logits > 0, "float32"), ops.cast(fake_logits < 0, "float32")]
            self.trackers["discriminator_accuracy"].update_state(ops.concatenate(right))
        if self.gradient_penalty == "wgan_gp":
            fake = ops.cast(fake, "float32")
            between = fake + part["mix"] * (part["real"] - fake)
            _, gradients = self.input_gradient(discriminate, between)
        if self.gradient_penalty is not None:
            penalty = r1_penalty if self.gradient_penalty == "r1" else wgan_gp_penalty
            value = penalty(gradients)
            self.track("gradient_penalty", value)
            loss = loss + self.ramps["penalty_weight"](self.step) * value
        loss = ops.mean(loss) + self.logits_objective(logits)
        loss = loss + self.class_objective(features, real_features, **part["given"])
        return loss + self.code_objective("discriminator", part, fake, features)

    def generator_objective(self, batch, fake):
        part = batch[-1]
        codes, given = part["codes"], part["given"]
        logits, features = self.discriminate(fake, **given)
        loss = generator_loss(self.objective, logits)
        self.track("generator_loss", loss)
        loss = ops.mean(loss) + self.class_objective(features, **given)
        loss = loss + self.code_objective("generator", part, fake, features)
        inputs = inputs_of(self.generator, codes, **given)
        for penalty, directions in zip(self.penalties, part["directions"], strict=True):
            directions = self.scaled(penalty, directions, codes)
            evaluate = partial(self.generator_penalty, penalty, inputs, directions, training=True)
            loss = self.penalised(loss, penalty, evaluate)
        return loss

    def logits_objective(self, logits):
        """A term of the discriminator's objective from the logits of real images; a hook."""
        return 0.0

    def code_objective(self, player, part, images, features):
        """A scalar term of a player's objective from generated images; a hook.

        Args:
            player: `"discriminator"` or `"generator"`.
            part: an entry of `prepare`: "codes", the latent vectors (batch, space.dim) of the
                images, and "given", a dict with the "labels" of a conditional model, else empty.
            images: the images (batch, h, w, c), in the generator's range.
            features: the discriminator's features of them, or `None` if it has none.
        """
        return 0.0

    def generate(self, z, training=True, generator=None, labels=None):
        """Codes to images in the generator's range, by `generator` instead of the trained one."""
        generator = self.generator if generator is None else generator
        return call_network(generator, z, labels, training=training)

    def discriminate(self, x, training=True, labels=None):
        """Images in the generator's range to (logits, features); features may be `None`."""
        outputs = call_network(self.discriminator, x, labels, training=training)
        logits, features = outputs if isinstance(outputs, (list, tuple)) else (outputs, None)
        return ops.cast(logits, "float32"), features

    def decay_of(self, batch):
        """The decay of the running mean in the step on `batch`, the result of `prepare`."""
        return self.ema_decay

    def finish(self, batch, shared):
        if self.ema_generator is not None:
            follow(self.ema_generator, self.generator, self.decay_of(batch))
        super().finish(batch, shared)

    # Penalties

    def activations(self, outputs):
        return LayerActivations(self.generator, outputs)

    def shorthand(self, hessian_penalty):
        """The penalties that the argument `hessian_penalty` stands for; a hook."""
        return as_penalties(hessian_penalty, "outputs")

    # Use

    def call(self, z, training=False):
        """Codes (batch, space.dim) to images in [0, 1], (batch, h, w, c).

        A conditional model takes a pair [codes, labels].
        """
        z, given = self.parted(z)
        images = self.generate(z, training=training, generator=self.ema_generator, **given)
        return from_range(ops.cast(images, "float32"), self.image_range)

    # Parts

    def _draw_codes(self, n):
        return self.space.sample(n, seed=self.seed_generator)

    def _draw_mix(self, n):
        shape = (n, *[1] * len(self.image_shape))
        return keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)

    def _to_range(self, x):
        return to_range(x, self.image_range)

    # Saving

    @property
    def input_signature(self):
        return self.signature(keras.InputSpec(shape=(None, self.latent_dim), dtype="float32"))

    def get_config(self):
        return {
            **super().get_config(),
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "space": keras.saving.serialize_keras_object(self.space),
            "objective": self.objective,
            "gradient_penalty": self.gradient_penalty,
            "penalty_weight": self.penalty_weight,
            "discriminator_steps": self.discriminator_steps,
            "ema_decay": self.ema_decay,
            "image_range": self.image_range,
            "hessian_penalty": self.hessian_penalty,
            "labels": keras.saving.serialize_keras_object(self.labels),
            **self.auxiliary_config(),
        }
