"""Progressive GAN: both players grow from small images to large ones while they train."""

import math
import numbers

import keras
from keras import ops

from keras_disentangle._arguments import check_int, check_weight
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._tensors import constant_beside
from keras_disentangle.layers import FadeIn
from keras_disentangle.layers._resampling import average_pool, upsample
from keras_disentangle.models._hessian_shorthand import as_penalties
from keras_disentangle.models._stage_activations import StageActivations
from keras_disentangle.models.gan import GAN
from keras_disentangle.schedules import read
from keras_disentangle.trainers.term_metrics import PresentValue

NUM_LAYERS = 10  # whose activations are penalised by default


@keras.saving.register_keras_serializable("keras_disentangle")
class ProgressiveGAN(GAN):
    r"""GAN that trains in stages, each at twice the resolution of the one before.

    Both networks have all their layers from the start and are called with `stage`, which selects
    the layers in use, and `alpha`, how far the newest have faded in: the value of the ramp `fade`.
    The real images are always given at full resolution; the step averages their pixels down to the
    resolution of the stage and, while it fades in, blends them with those of the previous stage:

    $$x_s = \alpha\, P^{S-1-s} x + (1 - \alpha)\, U P\, P^{S-1-s} x$$

    where P averages 2 × 2 pixels and U repeats them. Unless the callback `ProgressiveGrowth` or
    `set_stage` changes it, the model is in its last stage, faded in: an ordinary GAN, as needed for
    fine-tuning. The stage and the ramp are saved with the weights. Every stage is compiled once;
    the weights of layers that are not in use do not change, unless an optimizer has weight decay,
    or momenta that it keeps after a fade.

    Unlike in the Hessian penalty's release, the gradient penalty is of gradients with respect to
    the stage's own pixels (there, all images are first enlarged to full resolution, with gradients
    2^(S-1-s) times as small), all stages have the same batch size, and the generator is trained on
    the same codes as the last discriminator update.

    The objective of the discriminator has a further term, the drift term, which keeps its outputs
    for real images near 0: `drift_weight` times the mean of D(x)². It is logged as `drift`, without
    its weight; `stage` and `fade` are logged too.

    Args:
        generator: network (batch, space.dim) to images, called with `stage` and `alpha`, and with
            the attribute `num_stages`: a `ProgressiveGenerator` from
            `kd.applications.progressive_gan.networks`. Penalties also need its `activations` and
            `hidden_names`.
        discriminator: network from images to logits (batch, 1) or to [logits, features], called
            in the same way: a `ProgressiveDiscriminator`.
        space: the `LatentSpace`; by default normal noise of the generator's input width.
        objective, gradient_penalty, penalty_weight: as in `GAN`.
        drift_weight: weight of the drift term, >= 0; 0 leaves it out.
        ema_half_life: number of images, > 0, after which a weight counts half as much in the
            running mean of the generator's weights, for any batch size; `None` for no running mean.
        image_range: as in `GAN`, for a generator without a last activation.
        hessian_penalty: `None`, or a dict of keywords of `kd.losses.hessian_penalty` and
            `num_layers`, 10 by default: the penalty of the generator's first `num_layers` hidden
            layers with respect to the codes (before they are normalised) is added to its objective,
            weighted by the ramp `hessian_weight`, which begins at 0. Layers that are not in use, or
            do not exist, are left out; the penalty of those that fade in is weighted by alpha.
        **kwargs: `discriminator_steps` and `seed`, as in `GAN`.

    Raises:
        ValueError: as `GAN`; if the networks have no stages, or different numbers of them.

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

    takes_labels = False

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
            # Only whether there is a running mean: `decay_of` gives the decay.
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
        # The stage for which the step is compiled. The variable is saved; it differs from this one
        # after loading.
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
        """Height and width in pixels of the images of the present stage."""
        return self.image_shape[0] >> (self.num_stages - 1 - self._stage)

    def set_stage(self, stage, fade_steps=0, first_step=None):
        """Switches to a stage, whose newest layers fade in.

        Within `fit`, a callback may do this by `callback.model` where a batch or an epoch begins.

        Args:
            stage: integer from 0 to `num_stages` - 1.
            fade_steps: number of training steps in which `fade` rises from 0 to 1, >= 0.
            first_step: the training step at which the fade begins, by default the present one.

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
        """Switches to the next stage: see `set_stage`."""
        self.set_stage(self._stage + 1, fade_steps, first_step)

    def follow_stage(self):
        """Recompiles the step functions if loading or a backup changed the stage."""
        stage = read(self._stage_variable)
        if stage == self._stage:
            return
        self._stage = stage
        self.predict_function = None
        if self.train_function is not None:
            self.make_train_function(force=True)

    def restored(self):
        """Called by `ExactBackup` after it has restored the variables."""
        self.follow_stage()

    # Training

    def generate(self, z, training=True, generator=None):
        generator = self.generator if generator is None else generator
        alpha = constant_beside(z, self.alpha())
        return generator(z, stage=self._stage, alpha=alpha, training=training)

    def discriminate(self, x, training=True):
        alpha = constant_beside(x, self.alpha())
        outputs = self.discriminator(x, stage=self._stage, alpha=alpha, training=training)
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
        # Each entry is the global batch size.
        count = self.draw(lambda n: ops.full((n,), ops.cast(n, "float32")), n)[0]
        return ops.power(0.5, len(batch) * count / self.ema_half_life)

    def finish(self, batch, shared):
        self.trackers["stage"].update_state(self._stage)
        super().finish(batch, shared)

    def fit(self, *args, **kwargs):
        """As `GAN.fit`; images are given at the resolution of the last stage in every stage."""
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

        The generator's output is not bounded, so it is clipped.
        """
        images = super().call(z, training=training)
        return images if self.image_range is None else ops.clip(images, 0.0, 1.0)

    # Parts

    def _to_range(self, x):
        """Images at full resolution to the discriminator's input in the present stage."""
        x = average_pool(x, self.image_shape[0] // self.resolution)
        if self._stage > 0:
            alpha = constant_beside(x, self.alpha())
            x = self.fade_in(x, alpha=alpha, old=upsample(average_pool(x)))
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
