"""The quantised-latent auto-encoder."""

import math

import keras

from keras_disentangle._arguments import check_weight
from keras_disentangle.layers import LatentQuantization
from keras_disentangle.losses import commitment_loss, quantization_loss
from keras_disentangle.models.quantized_autoencoder import QuantizedAutoencoder


@keras.saving.register_keras_serializable("keras_disentangle")
class QLAE(QuantizedAutoencoder):
    r"""QLAE: an auto-encoder whose latent dimensions each take a few learnt values.

    $$-\log p(x|z) + n [w_q \operatorname{mean}_j (\operatorname{sg}[f_j] - z_j)^2
    + w_c \operatorname{mean}_j (f_j - \operatorname{sg}[z_j])^2]$$

    with the codes f of the encoder, the nearest values z, and n = h w c numbers of an image. The
    weights are those of the paper, which divides the likelihood by n: 0.01 of Shapes3D, 64x64x3, is
    122.88 nats here. The ramps `quantization_weight` and `commitment_weight` hold n times the
    arguments; the terms `quantization` and `commitment` are logged without a weight.

    The paper trains all data sets with batches of 128, twice as many latents as factors, 10 values,
    and AdamW at a rate of 0.001 with a weight decay of 0.1 (MPI3D 0.001), without which it loses
    much; `compile` leaves the codebooks and biases out of it. Its element-wise clipping of
    gradients at 1 is `clipvalue=n` here. A codebook follows the codes that choose it: if these
    diverge, so does it, and `fit` ends with an error that names the term. Values that no code
    chooses stay where they are, and a dimension may end up with one value for all images.

    Args:
        encoder: network (batch, h, w, c) to (batch, d).
        decoder: network (batch, d) to (batch, h, w, c): logits (Bernoulli) or means (Gaussian).
        num_values: number of values of each dimension, >= 2.
        quantization_weight, commitment_weight: weights of the two losses, >= 0, in the paper's
            unit.
        observation, seed, **kwargs: as in `QuantizedAutoencoder`.

    Raises:
        ValueError: if the networks do not fit each other, or another argument is out of range.

    Example:

    >>> encoder = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(),
    ...                             keras.layers.Dense(4)])
    >>> model = kd.models.QLAE(encoder, decoder, num_values=10)
    >>> model.compile(keras.optimizers.AdamW(0.001, weight_decay=0.1, clipvalue=784))
    >>> history = model.fit(images, verbose=0)

    Reference: Hsu et al., 2023 (Disentanglement via Latent Quantization), section 3.
    """

    def __init__(
        self,
        encoder,
        decoder,
        num_values=10,
        quantization_weight=0.01,
        commitment_weight=0.01,
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        quantizer = LatentQuantization(num_values, name="quantizer")
        super().__init__(encoder, decoder, quantizer, observation, seed, **kwargs)
        self.num_values = quantizer.num_values
        self.quantization_weight = check_weight("quantization_weight", quantization_weight)
        self.commitment_weight = check_weight("commitment_weight", commitment_weight)
        pixels = math.prod(self.image_shape)
        self.add_ramp("quantization_weight", pixels * self.quantization_weight)
        self.add_ramp("commitment_weight", pixels * self.commitment_weight)
        self.add_terms("quantization", "commitment")

    def further_terms(self, x, outputs, training):
        continuous = outputs["mean"]
        values, _ = self.quantizer.nearest(continuous)
        losses = {"quantization": quantization_loss, "commitment": commitment_loss}
        return {
            name: (self.ramps[f"{name}_weight"](self.step), loss(continuous, values))
            for name, loss in losses.items()
        }

    def get_config(self):
        config = super().get_config()
        del config["quantizer"]
        return {
            **config,
            "num_values": self.num_values,
            "quantization_weight": self.quantization_weight,
            "commitment_weight": self.commitment_weight,
        }
