"""InfoGAN: a GAN whose latent codes can be inferred from its images."""

import math
from dataclasses import replace

import keras
from keras import ops

from keras_disentangle._arguments import check_flag, check_weight, is_choice
from keras_disentangle._image_format import check_channels_last
from keras_disentangle.latents import Categorical
from keras_disentangle.layers import RandomAffine
from keras_disentangle.losses.information import information_per_code
from keras_disentangle.models._conditioning import call_network
from keras_disentangle.models._image_data import check_image_batch
from keras_disentangle.models._networks import check_apart, network_shapes, serialize
from keras_disentangle.models._parts import EncoderModel
from keras_disentangle.models.gan import GAN
from keras_disentangle.trainers.inference import inference


@keras.saving.register_keras_serializable("keras_disentangle")
class InfoGAN(EncoderModel, GAN):
    r"""GAN that also maximises a bound on the information between codes and images.

    $$\min_{G, Q} \max_D V(D, G) - \sum_k \lambda_k L_I^{(k)}(G, Q)$$

    Q shares the discriminator's features and, as in the authors' release, is updated with it: the
    bound is in the objectives of both players. Logged for each informative code are
    `information_<code>`, the bound L_I in nats; `entropy_<code>`, which it cannot exceed if the
    code is categorical; and `information_weight_<code>`.

    Args:
        generator: network (batch, space.dim) to images (batch, h, w, c).
        discriminator: network from images to [logits (batch, 1), features].
        q_head: layer or network from these features to (batch, space.num_params): a `QHead`. Of a
            conditional model (`labels`, see `GAN`) it may be a network of [features, labels].
        space: the `LatentSpace`, with an informative code.
        information_weight: lambda of every informative code, >= 0, or a dict from their names to
            numbers: the ramps `information_weight_<code>`.
        q_trained_with: the player whose optimizer step updates Q: `"discriminator"`, or
            `"generator"` as in equation 6, where the discriminator is not trained on the bound.
        q_augmentation: a `kd.layers.RandomAffine`, through which generated images go before Q reads
            the categorical codes off them: `information_<code>` is then that bound. What the layer
            changes, such as the slant of a digit, cannot be a category. Continuous codes are read
            off the images as they are. Wherever a player is trained on the bound, the discriminator
            is evaluated once more, and its batch normalisations see the augmented images too. An
            idea of Elastic-InfoGAN, whose Q must tell the same of an image and of its augmentation.
        feedback: whether the generator is trained on the bound. `False` is the baseline of the
            paper's Figure 1: an ordinary GAN, and a Q head whose gradient reaches neither player.
        **kwargs: as for `GAN`.

    Raises:
        ValueError: if the discriminator gives no features, the Q head does not fit them or the
            space, or another argument is out of range.

    Example:

    >>> space = kd.latents.LatentSpace([kd.latents.Normal(1), kd.latents.Categorical(3)])
    >>> model = InfoGAN(generator, discriminator, kd.layers.QHead(space), space)
    >>> model.compile(generator_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
    ...               discriminator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5))

    Reference: Chen et al., 2016, equations 5 and 6; Ojha et al., 2020 (Elastic-InfoGAN), for the
    augmentation.
    """

    def __init__(
        self,
        generator,
        discriminator,
        q_head,
        space,
        information_weight=1.0,
        q_trained_with="discriminator",
        feedback=True,
        q_augmentation=None,
        **kwargs,
    ):
        super().__init__(generator, discriminator, space, **kwargs)
        self.built = False
        if not self.space.informative:
            raise ValueError(f"`space` must have an informative code. Received: space={space}")
        if self.features_shape is None:
            raise ValueError(
                "`discriminator` must give [logits, features]: the Q head reads its features. "
                "Received: one output"
            )
        if q_trained_with not in ("discriminator", "generator"):
            raise ValueError(
                '`q_trained_with` must be "discriminator" or "generator". '
                f"Received: q_trained_with={q_trained_with!r}"
            )
        names = [code.name for code in self.space.informative]
        weights = information_weight
        if not isinstance(weights, dict):
            weights = dict.fromkeys(names, weights)
        if set(weights) != set(names):
            raise ValueError(
                f"`information_weight` must be a number or have the keys {names}. "
                f"Received: information_weight={information_weight!r}"
            )
        self.information_weight = {
            name: check_weight(f"information_weight[{name!r}]", weights[name]) for name in names
        }
        self.q_trained_with = q_trained_with
        self.feedback = check_flag("feedback", feedback)
        if not isinstance(q_head, keras.layers.Layer):
            raise ValueError(f"`q_head` must be a Keras layer or model. Received: q_head={q_head}")
        if not q_head.built:
            q_head.build((None, *self.features_shape))
        check_apart(generator=generator, discriminator=discriminator, q_head=q_head)
        self.q_head = q_head
        self.q_augmentation = q_augmentation
        self._check_q_augmentation()
        self._check_q_head()
        self.add_terms(*(f"information_{name}" for name in names))
        for name, weight in self.information_weight.items():
            self.trackers[f"entropy_{name}"] = keras.metrics.Mean(f"entropy_{name}")
            self.add_ramp(f"information_weight_{name}", weight)
        self.built = True

    def phases(self):
        phases = super().phases()
        for i, phase in enumerate(phases):
            if phase.slot == self.q_trained_with:
                phases[i] = replace(phase, networks=(*phase.networks, self.q_head))
        return phases

    def prepare(self, x):
        parts = super().prepare(x)
        if self.q_augmentation is not None:
            for part in parts:
                part["augmentation"] = self.draw(
                    self._draw_augmentation, ops.shape(part["codes"])[0]
                )
        return parts

    def code_objective(self, player, part, images, features):
        """Minus the weighted bound, for the player that updates Q and, with feedback, for G."""
        updates_q = player == self.q_trained_with
        if not updates_q and not (player == "generator" and self.feedback):
            return 0.0
        bounds = self._bounds(features, part)
        if self.q_augmentation is not None:
            seen = self.q_augmentation(images, parameters=part["augmentation"])
            _, features = self.discriminate(seen, **part["given"])
            augmented = self._bounds(features, part)
            bounds.update({name: augmented[name] for name in self._categorical})
        total = 0.0
        for name, bound in bounds.items():
            if updates_q:
                self.track(f"information_{name}", bound)
                self.trackers[f"entropy_{name}"].update_state(self.space[name].entropy())
            weight = self.ramps[f"information_weight_{name}"](self.step)
            total = total - weight * ops.mean(bound)
        return total

    def _bounds(self, features, part):
        """The bound of each code in nats, (batch,), from the features of images."""
        if not self.feedback:
            features = ops.stop_gradient(features)
        params = call_network(self.q_head, features, **part["given"], training=True)
        return information_per_code(self.space, params, part["codes"])

    def _draw_augmentation(self, n):
        return self.q_augmentation.draw(n, self.seed_generator)

    @property
    def _categorical(self):
        """The names of the informative categorical codes."""
        return [code.name for code in self.space.informative if isinstance(code, Categorical)]

    # Use

    @property
    def inference_networks(self):
        """The networks that `q_params` calls; without a second input they need no labels."""
        return [self.discriminator, self.q_head]

    @inference
    def q_params(self, x, labels=None):
        """Images in [0, 1] (n, h, w, c) to the outputs of Q, (n, space.num_params) float32.

        A conditional model needs `labels`, one for each image or one for all, if its discriminator
        or Q head takes them.

        Raises:
            ValueError: if the shape is wrong, or if images lie outside [0, 1] while the generator's
                range is known; if labels are missing, wrong or not wanted.
        """
        check_image_batch("x", x, self.image_shape, self.bounded)
        x = self._to_range(ops.convert_to_tensor(x, "float32"))
        given = self.given(labels, x.shape[0], self.inference_networks)
        _, features = self.discriminate(x, training=False, **given)
        return ops.cast(call_network(self.q_head, features, **given, training=False), "float32")

    @inference
    def encode(self, x, labels=None):
        """Images in [0, 1] (n, h, w, c) to the parameters of q(c|x), a dict of code to (n, p).

        For a categorical code they are logits; for a continuous one the means and, if they are
        learnt, the log standard deviations.

        Raises:
            ValueError: as `q_params`.
        """
        return self.space.split_params(self.q_params(x, labels))

    @inference
    def predict_codes(self, x, labels=None):
        """Images to the expected codes: a dict of code to probabilities or means (n, d).

        Raises:
            ValueError: as `q_params`.
        """
        return self.space.predict(self.q_params(x, labels))

    @inference
    def classify(self, x, code=None, labels=None):
        """Images in [0, 1] (n, h, w, c) to the index of the most likely category, int32 (n,).

        Args:
            x: the images.
            code: name of the categorical code; by default the first of them.
            labels: as in `q_params`.

        Raises:
            ValueError: if there is no such code; as `q_params`.
        """
        categorical = self._categorical
        if not categorical or not is_choice(code, (None, *categorical)):
            raise ValueError(
                f"`code` must be one of the categorical codes, {categorical}. "
                f"Received: code={code!r}"
            )
        return ops.argmax(self.encode(x, labels)[code or categorical[0]], axis=-1)

    def _check_q_head(self):
        if isinstance(self.q_head, keras.Model):
            features, params = network_shapes("q_head", self.q_head, labels=self.labels)
        else:
            shape = (None, *self.features_shape)
            shape = (self.q_head.get_build_config() or {}).get("input_shape", shape)
            features = tuple(shape[1:])
            params = tuple(self.q_head.compute_output_shape((None, *self.features_shape))[1:])
        same_size = math.prod(features) == math.prod(self.features_shape)
        if not same_size or params != (self.space.num_params,):
            raise ValueError(
                f"`q_head` must map the discriminator's features {self.features_shape} to the "
                f"({self.space.num_params},) parameters of `space`. "
                f"Received: a network from {features} to {params}"
            )

    def _check_q_augmentation(self):
        layer = self.q_augmentation
        if layer is None:
            return
        if not isinstance(layer, RandomAffine):
            raise ValueError(
                "`q_augmentation` must be a `kd.layers.RandomAffine` or None. "
                f"Received: q_augmentation={layer!r}"
            )
        if not self._categorical:
            raise ValueError(
                "`q_augmentation` must be None unless `space` has an informative categorical code, "
                f"which is read through it. Received: space={self.space}"
            )
        check_channels_last("`q_augmentation`", self.generator, self.discriminator)
        if len(self.image_shape) != 3:
            raise ValueError(
                "`q_augmentation` must be None unless `generator` gives images (h, w, c). "
                f"Received: images of shape {self.image_shape}"
            )

    # Saving

    def get_config(self):
        return {
            **super().get_config(),
            "q_head": serialize(self.q_head),
            "information_weight": self.information_weight,
            "q_trained_with": self.q_trained_with,
            "feedback": self.feedback,
            "q_augmentation": serialize(self.q_augmentation),
        }
