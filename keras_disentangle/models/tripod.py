"""Tripod: a quantised auto-encoder with two penalties."""

import math

import keras

from keras_disentangle._arguments import check_weight
from keras_disentangle.layers import FiniteScalarQuantization
from keras_disentangle.models.quantized_autoencoder import QuantizedAutoencoder
from keras_disentangle.penalties import HessianPenalty, KernelMultiInformation


@keras.saving.register_keras_serializable("keras_disentangle")
class Tripod(QuantizedAutoencoder):
    r"""Tripod: quantised codes, independent dimensions, and a decoder with a diagonal Hessian.

    $$-\log p(x|z) + n [w_m\, \mathrm{KLM}(z) + w_h \sum_l \mathrm{NHP}_l(z)]$$

    with codes z of fixed levels (`FiniteScalarQuantization`), the penalties
    `KernelMultiInformation` of the codes and the normalised `HessianPenalty` of layers l of the
    decoder, and n = h w c numbers of an image. The weights are those of the paper, which divides
    the likelihood by n; the ramps `multi_information_weight` and `hessian_weight` hold n times the
    arguments, and the values are logged as `multi_information` and `hessian_penalty`, without a
    weight.

    Published weights, with 12 levels, twice as many latents as factors, batches of 64, and AdamW at
    a rate of 0.0002 without decay, whose element-wise clipping at 1 is `clipvalue=n` here:

    | data set | `multi_information_weight` | `hessian_weight` |
    |---|---|---|
    | Shapes3D | 1e-4 | 1e-2 |
    | MPI3D | 1e-8 | 1e-4 |
    | Falcor3D | 1e-10 | 1e-2 |
    | Isaac3D | 1e-4 | 1e-8 |

    Where most of an image has one value, as on dSprites, the codes can all run into the ends of
    their tanh at the start, where they stay. Set the bias of the decoder's last layer to the mean
    image, as the layer gives it (of Bernoulli, log-odds), before training.

    Args:
        encoder: network (batch, h, w, c) to (batch, d).
        decoder: network (batch, d) to (batch, h, w, c): logits (Bernoulli) or means (Gaussian).
        num_levels: number of values of each dimension, >= 2.
        outputs: names of the decoder's layers whose Hessians are penalised; the paper takes the
            first few, behind non-linearities, and not the output. `None` for the output.
        multi_information_weight, hessian_weight: weights of the two penalties, >= 0, in the paper's
            unit.
        num_directions, epsilon: as in `HessianPenalty`, with the published values.
        observation, seed, **kwargs: as in `QuantizedAutoencoder`.

    Raises:
        ValueError: if the networks do not fit each other, or another argument is out of range; in
            use, for a batch of one image.

    Example:

    >>> encoder = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(),
    ...                             keras.layers.Dense(4)])
    >>> decoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(16, "gelu", name="cond"),
    ...                             keras.layers.Dense(784), keras.layers.Reshape((28, 28, 1))])
    >>> model = kd.models.Tripod(encoder, decoder, outputs=["cond"])
    >>> model.compile(keras.optimizers.Adam(0.0002))
    >>> history = model.fit(images, verbose=0)

    Reference: Hsu et al., 2024 (Tripod: Three Complementary Inductive Biases for Disentangled
    Representation Learning).
    """

    def __init__(
        self,
        encoder,
        decoder,
        num_levels=12,
        outputs=None,
        multi_information_weight=1e-4,
        hessian_weight=1e-2,
        num_directions=2,
        epsilon=0.1,
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        quantizer = FiniteScalarQuantization(num_levels, name="quantizer")
        super().__init__(encoder, decoder, quantizer, observation, seed, **kwargs)
        self.num_levels = quantizer.num_levels
        self.outputs = outputs
        self.multi_information_weight = check_weight(
            "multi_information_weight", multi_information_weight
        )
        self.hessian_weight = check_weight("hessian_weight", hessian_weight)
        self.num_directions, self.epsilon = num_directions, epsilon
        pixels = math.prod(self.image_shape)
        penalties = [
            KernelMultiInformation(
                pixels * self.multi_information_weight, name="multi_information"
            ),
            HessianPenalty(
                outputs,
                pixels * self.hessian_weight,
                num_directions=num_directions,
                epsilon=epsilon,
                normalized=True,
            ),
        ]
        self.add_penalties(penalties, given=False)

    def get_config(self):
        config = super().get_config()
        del config["quantizer"]
        return {
            **config,
            "num_levels": self.num_levels,
            "outputs": self.outputs,
            "multi_information_weight": self.multi_information_weight,
            "hessian_weight": self.hessian_weight,
            "num_directions": self.num_directions,
            "epsilon": self.epsilon,
        }
