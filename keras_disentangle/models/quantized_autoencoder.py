"""The base of the auto-encoders whose codes are quantised."""

import keras
from keras import ops

from keras_disentangle.latents import LatentSpace
from keras_disentangle.layers import FiniteScalarQuantization, LatentQuantization
from keras_disentangle.models._networks import check_apart, check_shape, network_shapes, serialize
from keras_disentangle.models.variational_model import VariationalModel
from keras_disentangle.penalties import PosteriorPenalty
from keras_disentangle.trainers.inference import inference
from keras_disentangle.trainers.optimizer_group import get_optimizer

QUANTIZERS = (LatentQuantization, FiniteScalarQuantization)


@keras.saving.register_keras_serializable("keras_disentangle")
class QuantizedAutoencoder(VariationalModel):
    r"""Auto-encoder whose codes are quantised: $-\log p(x|z)$ at $z = q(f(x))$, and further terms.

    Every image has one code, so there are no posteriors and no KL terms. It has what the
    variational models have otherwise: `decode`, `reconstruct`, `interpolate`, `sample` (codes drawn
    uniformly from the values), observations, penalties, ramps and the checks of images.

    Penalties of a posterior get the codes before they are quantised as `mean`, and `None` as
    `log_var`; those that need a variance are refused.

    `compile` leaves everything but the kernels of the networks out of the optimizer's weight decay:
    biases, scales of normalisations, and codebooks (`decayed_variables` are the others).

    Attributes:
        space: the `LatentSpace` of the quantised code, with the present values of the quantizer.
        discrete_codes: True, by which `kd.evaluate` knows that codes take few values.

    Args:
        encoder: network (batch, h, w, c) to (batch, d).
        decoder: network (batch, d) to (batch, h, w, c): logits (Bernoulli) or means (Gaussian).
        quantizer: a `LatentQuantization` or `FiniteScalarQuantization` layer.
        observation: `"bernoulli"`, `"gaussian"` or an `Observation` of `kd.observations`.
        seed: integer seed of the draws of penalties, or `None`.
        **kwargs: `penalties`, `hessian_penalty`, `pixel_scale` and `min_log_std`, as in `VAE`.

    Raises:
        ValueError: if the networks do not fit each other, or another argument is out of range.

    Example:

    >>> encoder = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(),
    ...                             keras.layers.Dense(4)])
    >>> quantizer = kd.layers.FiniteScalarQuantization(5)
    >>> model = kd.models.QuantizedAutoencoder(encoder, decoder, quantizer)
    >>> model.encode(images).shape
    (32, 4)

    Reference: Hsu et al., 2023 (Disentanglement via Latent Quantization), section 3.
    """

    has_posteriors = False
    discrete_codes = True
    takes_labels = False

    def __init__(self, encoder, decoder, quantizer, observation="bernoulli", seed=None, **kwargs):
        image_shape, code_shape = network_shapes("encoder", encoder)
        if len(code_shape) != 1 or not code_shape[0]:
            raise ValueError(
                "`encoder` must give codes (batch, d). "
                f"Received: an output of shape (batch, {', '.join(map(str, code_shape))})"
            )
        decoder_input, decoder_output = network_shapes("decoder", decoder)
        check_shape("The input of `decoder`", code_shape, decoder_input)
        check_shape("The output of `decoder`", image_shape, decoder_output)
        if not isinstance(quantizer, QUANTIZERS):
            raise ValueError(
                "`quantizer` must be a `LatentQuantization` or a `FiniteScalarQuantization`. "
                f"Received: quantizer={quantizer!r}"
            )
        if not quantizer.built:
            quantizer.build((None, *code_shape))
        super().__init__(
            image_shape=image_shape,
            observation=observation,
            seed=seed,
            decoder=decoder,
            space=LatentSpace([quantizer.code(*code_shape)]),
            **kwargs,
        )
        self.encoder, self.quantizer, self.decoder = encoder, quantizer, decoder
        self._check_logits("decoder", decoder)
        check_apart(encoder=encoder, decoder=decoder, quantizer=quantizer)
        self.built = True

    # Training

    def add_penalties(self, penalties, given=True):
        for penalty in penalties if isinstance(penalties, (list, tuple)) else ():
            if isinstance(penalty, PosteriorPenalty) and penalty.needs_log_var:
                raise ValueError(
                    "`penalties` of a posterior must not need its variance: a quantised "
                    f"auto-encoder has none. Received: {penalty!r}"
                )
        super().add_penalties(penalties, given)

    @property
    def decayed_variables(self):
        """The variables that weight decay applies to: kernels, of both networks."""
        networks = (self.encoder, self.decoder)
        found = [v for network in networks for v in network.trainable_variables]
        return [v for v in found if len(v.shape) > 1]

    def compile(self, optimizer="rmsprop", *args, **kwargs):
        """`compile` of `VariationalModel`; weight decay is applied to `decayed_variables` only.

        Raises:
            ValueError: if an optimizer with weight decay was built before, so that nothing can be
                left out of it any more.
        """
        if optimizer is not None:
            optimizer = get_optimizer("optimizer", optimizer)
            inner, own = map(_inner, (optimizer, getattr(self, "optimizer", None)))
            if not inner.built:
                decayed = {id(v) for v in self.decayed_variables}
                others = [v for v in self.trainable_variables if id(v) not in decayed]
                inner.exclude_from_weight_decay(var_list=others)
            elif inner.weight_decay and inner is not own:
                raise ValueError(
                    "`optimizer` must not be built yet if it has weight decay, which would act on "
                    f"codebooks and biases too: give a new one. Received: {optimizer}, built, with "
                    f"weight_decay={inner.weight_decay}"
                )
        super().compile(optimizer, *args, **kwargs)

    def call(self, x, training=False):
        """Images to a dict: `reconstruction` (logits or means), `code`, and `mean`, the codes
        before they are quantised."""
        z = self.encoder(x, training=training)
        code = self.quantizer(z)
        return {
            "reconstruction": self.generate([code], training=training),
            "code": code,
            "mean": self.quantizer.continuous(z),
        }

    def generate(self, codes, training=False):
        return self.decoder(codes[0], training=training)

    @property
    def generative_networks(self):
        return [self.decoder]

    # Use

    @inference
    def encode(self, x):
        """Images (n, h, w, c) to quantised codes (n, latent_dim), float32.

        Raises:
            ValueError: if the shape is wrong, or if images lie outside [0, 1] where they must not.
        """
        return self._nearest(x)[0]

    @inference
    def encode_indices(self, x):
        """Images (n, h, w, c) to the indices of their values, (n, latent_dim), int32.

        They count from the lowest value of fixed levels; of learnt codebooks, they index
        `quantizer.codebooks`, whose rows may be in any order after training.

        Raises:
            ValueError: as `encode`.
        """
        return self._nearest(x)[1]

    def _nearest(self, x):
        self.check_batch(x)
        z = self.encoder(ops.convert_to_tensor(x, "float32"), training=False)
        return self.quantizer.nearest(z)

    def codes_of(self, x, labels=None):
        # By calls of layers: in the graph, variables that are read otherwise would be constants.
        return ops.cast(self.quantizer(self.encoder(x, training=False)), "float32")

    def represent(self, x, labels=None):
        return self.encode(x)

    def draw_prior(self, n, seed=None):
        return self.space.sample(n, seed)

    def get_config(self):
        config = super().get_config()
        del config["beta"]
        return {
            **config,
            "encoder": serialize(self.encoder),
            "decoder": serialize(self.decoder),
            "quantizer": serialize(self.quantizer),
        }


def _inner(optimizer):
    """The optimizer that a `LossScaleOptimizer` wraps, or the optimizer itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)
