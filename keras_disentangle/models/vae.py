"""The (beta-)VAE."""

import warnings

import keras

from keras_disentangle._image_format import check_channels_last
from keras_disentangle.latents.labels import as_labels
from keras_disentangle.models._conditioning import call_network
from keras_disentangle.models._image_range import range_of_samples
from keras_disentangle.models._networks import (
    check_apart,
    check_shape,
    network_shapes,
    output_activation,
    posterior,
    posterior_size,
    serialize,
)
from keras_disentangle.models.variational_model import VariationalModel


@keras.saving.register_keras_serializable("keras_disentangle")
class VAE(VariationalModel):
    """Variational auto-encoder with one Gaussian code; `beta` > 1 makes it a beta-VAE.

    Args:
        encoder: network (batch, h, w, c), or of vectors (batch, n), to mean and log variance:
            concatenated, (batch, 2d), or as a list of two outputs (batch, d).
        decoder: network (batch, d) to (batch, h, w, c), or (batch, n): logits (Bernoulli), means
            (Gaussian), or what the observation says; of observations with several parameters, it
            has `observation.num_parameters` times as many channels.
            With `labels` it has a second input, the labels, and so may the encoder.
        beta: weight of the KL term, >= 0; the ramp `beta`.
        observation: `"bernoulli"`, `"gaussian"` or an `Observation` of `kd.observations`.
        seed: integer seed of the latent noise, or `None`.
        **kwargs: as in every variational model: `penalties`, a list of `kd.penalties.Penalty`
            objects; `hessian_penalty`, `None` or a dict of keywords of
            `kd.penalties.HessianPenalty` (a shorthand for it, with a weight that begins at 0);
            `pixel_scale` and `min_log_std` of Gaussian observations; `labels`, `None`, a
            `kd.latents.Labels` or a number of classes, for a conditional model p(x|z, y), which
            `fit(x, y)` trains.

    Raises:
        ValueError: if the networks do not fit each other, or another argument is out of range.

    Example:

    >>> encoder = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(),
    ...                             keras.layers.Dense(20)])
    >>> decoder = keras.Sequential([keras.Input((10,)), keras.layers.Dense(784),
    ...                             keras.layers.Reshape((28, 28, 1))])
    >>> model = VAE(encoder, decoder, beta=4.0)
    >>> model.compile("adam")

    References: Kingma & Welling, 2014; Higgins et al., 2017; Sohn et al., 2015 (conditional).
    """

    takes_labels = True

    def __init__(self, encoder, decoder, beta=1.0, observation="bernoulli", seed=None, **kwargs):
        labels = as_labels(kwargs.get("labels"))
        image_shape, code_shape = network_shapes("encoder", encoder, several=True, labels=labels)
        size = posterior_size("encoder", code_shape)
        decoder_input, decoder_output = network_shapes("decoder", decoder, labels=labels)
        check_shape("The input of `decoder`", (size,), decoder_input)
        super().__init__(
            rung_sizes=(size,),
            image_shape=image_shape,
            beta=beta,
            observation=observation,
            seed=seed,
            decoder=decoder,
            **kwargs,
        )
        expected = self.observation.prediction_shape(self.image_shape)
        check_shape("The output of `decoder`", expected, decoder_output)
        self.check_takes_labels(decoder=decoder)
        self.encoder = encoder
        self.decoder = decoder
        self._check_logits("decoder", decoder)
        if self.observation.takes_logits and output_activation(decoder) is None:
            found = range_of_samples(decoder, size, self.labels)
            if found is not None:
                warnings.warn(
                    f"`decoder` must give logits for {type(self.observation).__name__} "
                    f"observations, but its outputs seem to be bounded, by {found}: leave its "
                    "last activation out (the model applies the sigmoid itself).",
                    stacklevel=2,
                )
        check_apart(encoder=encoder, decoder=decoder)
        if self.pixel_scale == "channel":
            check_channels_last('`pixel_scale="channel"`', encoder, decoder)
        self.built = True

    def infer(self, x, training=False, labels=None):
        return [posterior(self.encoder, x, training, labels)]

    def generate(self, codes, training=False, labels=None):
        return call_network(self.decoder, codes[0], labels, training=training)

    @property
    def generative_networks(self):
        return [self.decoder]

    @property
    def inference_networks(self):
        return [self.encoder]

    def get_config(self):
        networks = {"encoder": serialize(self.encoder), "decoder": serialize(self.decoder)}
        return {**super().get_config(), **networks}
