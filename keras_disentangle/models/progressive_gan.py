"""Progressive GAN: both players grow from small images to large ones while they train."""

import math
import numbers

import keras
from keras import ops

from keras_disentangle._arguments import check_int, check_weight
from keras_disentangle._image_format import check_channels_last
from keras_disentangle.layers import FadeIn
from keras_disentangle.layers._resampling import average_pool, upsample
from keras_disentangle.models._hessian_shorthand import as_penalties
from keras_disentangle.models._stage_activations import StageActivations
from keras_disentangle.models.gan import GAN
from keras_disentangle.schedules import read
from keras_disentangle.trainers.term_metrics import PresentValue

NUM_LAYERS = 10  # that penalties look at


@keras.saving.register_keras_serializable("keras_disentangle")
class ProgressiveGAN(GAN):
    r"""GAN that trains in stages, each at twice the resolution of the one before.

    Both networks hold all their layers from the start and are called with `stage`, how many of
    them to go through, and `alpha`, how far the newest have faded in: the value of the ramp `fade`.
    The real images always come at full resolution; the step averages their pixels down to that of
    the stage and, while it fades in, blends them with what the stage before saw:

    $$x_s = \alpha\, P^{S-1-s} x + (1 - \alpha)\, U P\, P^{S-1-s} x$$

    with P pooling 2 × 2 pixels and U repeating them. Until the callback `ProgressiveGrowth` or
    `set_stage` says otherwise, the model is in its last stage, faded in: an ordinary GAN, as one
    wants it for fine-tuning. The stage and the ramp are saved with the weights. Every stage is
    compiled once; the weights of layers that are not in use do not move, unless an optimizer decays
    them, or moves by momenta that it keeps after a fade.

    Unlike in the Hessian penalty's release, the gradient penalty looks at gradients with respect to
    the stage's own pixels (there all images are enlarged to full resolution first, where they are
    2^(S-1-s) times as small), all stages have batches of one size, and the generator is trained on
    the codes that the discriminator has just seen images of.

    To the objective of the discriminator comes the drift term, which keeps its outputs for real
    images near 0: `drift_weight` times the mean of D(x)². It is logged as `drift`, without its
    weight; `stage` and `fade` are logged too.

    Args:
        generator: network (batch, space.dim) to images, called with `stage` and `alpha`, and with
            the attribute `num_stages`: a `ProgressiveGenerator` from
            `kd.applications.progressive_gan.networks`. `hessian_penalty` wants of it
            `activations` and `hidden_names` too.
        discriminator: network from images to logits (batch, 1) or to [logits, features], called
            alike: a `ProgressiveDiscriminator`.
        space: the `LatentSpace`; by default normal noise of the generator's input width.
        objective, gradient_penalty, penalty_weight: as in `GAN`.
        drift_weight: weight of the drift term, >= 0; 0 leaves it out.
        ema_half_life: images after which a weight counts half as much in the running mean of the
            generator's weights, > 0, whatever the batch size; `None` for no running mean.
        image_range: as in `GAN`, for a generator without a last activation.
        hessian_penalty: `None`, or a dict of keywords of `kd.losses.hessian_penalty` and
            `num_layers`, 10 by default: the penalty of the generator's first layers at the codes,
            before the latter are normalised, joins its objective, weighted by the ramp
            `hessian_weight`, which begins at 0. Layers that are not in use, or not there, are left
            out; those that fade in count in proportion.
        **kwargs: `discriminator_steps` and `seed`, as in `GAN`.

    Raises:
        ValueError: as `GAN`; if the networks have no stages, or not equally many.

    Example:

    >>> from keras_disentangle.applications.progressive_gan.networks import (
    ...     ProgressiveDiscriminator,
    ...     ProgressiveGenerator,
    ... )
    >>> sizes = {"resolution": 16, "max_channels": 32}
    >>> model = ProgressiveGAN(ProgressiveGenerator(12, **sizes), ProgressiveDiscriminator(**sizes))
    >>> adam = {"learning_rate": 1e-3, "beta_1": 0.0, "beta_2": 0.99, "epsilon": 1e-8}
    >>> model.compile(generator_optimizer=keras.optimizers.Adam(**adam),
    ...               discriminator_optimizer=keras.optimizers.Adam(**adam))
    >>> images = kd.datasets.Shapes3D(image_size=16).images(range(32))
    >>> growth = kd.callbacks.ProgressiveGrowth(images_per_fade=16, images_per_stage=16)
    >>> model.fit(images / 255.0, batch_size=16, epochs=3, callbacks=[growth])

    Reference: Karras et al., 2018 (progressive GANs).
    """

    def __init__(
        self,
        generator,
        discriminator,
        space=None,
        objective="wasserstein",
        gradient_penalty="wgan_gp",
        penalty_weight=10.0,
        drift_weight=1e-3,
        ema_half_life=10_000,
        image_range=(-1.0, 1.0),
        **kwargs,
    ):
        stages = [getattr(network, "num_stages", None) for network in (generator, discriminator)]
        if stages[0] != stages[1] or stages[0] is None:
            raise ValueError(
                "`generator` and `discriminator` must have equally many stages, `num_stages`. "
                f"Received: {stages[0]} and {stages[1]}"
            )
        is_positive = isinstance(ema_half_life, numbers.Real) and 0 < ema_half_life < math.inf
        if ema_half_life is not None and not is_positive:
            raise ValueError(
                "`ema_half_life` must be None or a number of images > 0. "
                f"Received: ema_half_life={ema_half_life!r}"
            )
        super().__init__(
            generator,
            discriminator,
            space,
            objective=objective,
            gradient_penalty=gradient_penalty,
            penalty_weight=penalty_weight,
            # Only whether there is one: `decay_of` says which.
            ema_decay=None if ema_half_life is None else 0.0,
            image_range=image_range,
            **kwargs,
        )
        self.built = False
        self.drift_weight = check_weight("drift_weight", drift_weight)
        self.ema_half_life = ema_half_life
        check_channels_last("`ProgressiveGAN`", generator, discriminator)
        self.num_stages = stages[0]
        self.images_per_step = None
        # What a step is compiled for; the variable is what is saved, and tells when it was loaded.
        self._stage = self.num_stages - 1
        self._stage_variable = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self._stage),
            dtype="int32",
            trainable=False,
            aggregation="only_first_replica",
            name="stage",
        )
        self.fade_in = FadeIn(name="fade_in", dtype="float32")
        if self.drift_weight:
            self.add_terms("drift")
        self.trackers["stage"] = PresentValue(name="stage")
        self.add_ramp("fade", 1.0)
        self.built = True

    # Growth

    @property
    def stage(self):
        """The present stage, an integer from 0 to `num_stages` - 1."""
        return self._stage

    @property
    def resolution(self):
        """Pixels a side of the present stage's images."""
        return self.image_shape[0] >> (self.num_stages - 1 - self._stage)

    def set_stage(self, stage, fade_steps=0, first_step=None):
        """Goes to a stage, whose newest layers fade in.

        Within `fit`, this may be done where a batch or an epoch begins, by `callback.model`.

        Args:
            stage: integer from 0 to `num_stages` - 1.
            fade_steps: training steps in which `fade` goes from 0 to 1, >= 0.
            first_step: the training step at which it begins to, by default the present one.

        Raises:
            ValueError: if an argument is out of range.
        """
        if check_int("stage", stage, minimum=0) >= self.num_stages:
            raise ValueError(
                f"`stage` must be less than {self.num_stages}. Received: stage={stage}"
            )
        first_step = read(self.step) if first_step is None else first_step
        self.ramps["fade"].set(0.0, 1.0, first_step, fade_steps)
        self._stage_variable.assign(stage)
        self.follow_stage()

    def grow(self, fade_steps=0, first_step=None):
        """Goes to the next stage: see `set_stage`."""
        self.set_stage(self._stage + 1, fade_steps, first_step)

    def follow_stage(self):
        """Has the steps compiled anew if the saved stage was written: by a backup, by loading."""
        stage = read(self._stage_variable)
        if stage == self._stage:
            return
        self._stage = stage
        self.predict_function = None
        if self.train_function is not None:
            self.make_train_function(force=True)

    def restored(self):
        """Called by `ExactBackup` when it has written the variables."""
        self.follow_stage()

    # Training

    def generate(self, z, training=True, generator=None):
        generator = self.generator if generator is None else generator
        return generator(z, stage=self._stage, alpha=self.alpha(), training=training)

    def discriminate(self, x, training=True):
        outputs = self.discriminator(x, stage=self._stage, alpha=self.alpha(), training=training)
        logits, features = outputs if isinstance(outputs, (list, tuple)) else (outputs, None)
        return ops.cast(logits, "float32"), features

    def alpha(self):
        """How far the newest layers have faded in: a scalar tensor in [0, 1]."""
        return self.ramps["fade"](self.step)

    def logits_objective(self, logits):
        if not self.drift_weight:
            return 0.0
        squares = ops.square(logits)
        self.track("drift", squares)
        return self.drift_weight * ops.mean(squares)

    def decay_of(self, batch):
        n = ops.shape(batch[0]["real"])[0]
        # Each of n numbers says how many images all replicas see.
        count = self.draw(lambda n: ops.full((n,), ops.cast(n, "float32")), n)[0]
        return ops.power(0.5, len(batch) * count / self.ema_half_life)

    def finish(self, batch, shared):
        self.trackers["stage"].update_state(self._stage)
        super().finish(batch, shared)

    def fit(self, *args, **kwargs):
        """As `GAN.fit`; the images come at the last stage's resolution in every stage."""
        self.follow_stage()
        return super().fit(*args, **kwargs)

    # Penalties

    def activations(self, outputs):
        return StageActivations(self, NUM_LAYERS if outputs is None else outputs)

    def shorthand(self, hessian_penalty):
        return as_penalties(hessian_penalty, "num_layers")

    # Use

    def call(self, z, training=False):
        """Codes (batch, space.dim) to images of the present stage in [0, 1], (batch, h, w, c).

        Nothing bounds what the generator gives, so it is clipped.
        """
        images = super().call(z, training=training)
        return images if self.image_range is None else ops.clip(images, 0.0, 1.0)

    # Parts

    def _to_range(self, x):
        """Full images to what the discriminator is to see of them in the present stage."""
        x = average_pool(x, self.image_shape[0] // self.resolution)
        if self._stage > 0:
            x = self.fade_in(x, alpha=self.alpha(), old=upsample(average_pool(x)))
        return super()._to_range(x)

    def check_sizes(self, sizes):
        super().check_sizes(sizes)
        self.images_per_step = max(sizes)

    # Saving

    def load_own_variables(self, store):
        super().load_own_variables(store)
        self.follow_stage()

    def get_config(self):
        config = super().get_config()
        del config["ema_decay"]
        return {
            **config,
            "drift_weight": self.drift_weight,
            "ema_half_life": self.ema_half_life,
        }
