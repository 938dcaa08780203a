"""The negative log-likelihood of an image's features given its reconstruction."""

import keras
import numpy as np
from keras import ops, saving

from keras_disentangle._arguments import check_flag, check_weight, is_choice
from keras_disentangle._likelihood import gaussian_nll
from keras_disentangle._log_std import add_log_std, checked_floor, floored
from keras_disentangle._tensors import check_same_shape
from keras_disentangle.layers.feature_network import FeatureNetwork

SCALES = ("full", "channel", "fixed")
QUIETEST = 0.1  # lower bound at which `calibrate` starts a channel, relative to its layer


@saving.register_keras_serializable("keras_disentangle")
class FeatureMatchingLoss(keras.layers.Layer):
    r"""The discriminative terms of a regularised VAE: $-\sum_l w_l \log p(d_l(x) | z)$, in nats.

    The activations $d_l(x)$ of each chosen layer are Gaussian, with the activations for the
    decoder's mean as means and with learnt standard deviations:

    $$-\log p(d_l(x) | z) = \sum_i [\tfrac12 \log 2\pi + \log\sigma_{l,i}
        + (d_{l,i}(x) - d_{l,i}(\mu(z)))^2 / 2\sigma_{l,i}^2]$$

    It is a Keras layer, because the log sigma are its weights: a model with this layer as an
    attribute trains them. Gradients flow to them and through the classifier to the reconstruction;
    none to x, its features or the classifier.

    With learnt scales, a unit that can be matched perfectly, such as one that is zero for all
    images, would lower the loss without bound, and its gradient would grow as 1/sigma. Hence a
    floor of log sigma, a constraint that the optimizer applies; at the floor the gradient is the
    same as without it, so that log sigma rises again as soon as that lowers the loss. The value
    that is used is never below the floor, whatever the weight contains.

    Attributes:
        feature_model: the `FeatureNetwork`.
        layer_names: tuple of the names of its layers.
        layer_weights: dict of name to w_l.

    Args:
        feature_model: a `FeatureNetwork`, or a frozen network of images, from which one is built.
        layers: for a network, as in `FeatureNetwork`; for a `FeatureNetwork`, some of its
            `layer_names`, or `None` for all.
        learn_scale: False is equivalent to `scale="fixed"`.
        layer_weights: w_l >= 0, a list in the order of the layers or a dict by name; 1 by default,
            as in the paper.
        min_log_std: the floor, a number <= 0, in log units of the features. `None` for none, as in
            the paper.
        scale: `"full"` for one sigma for each unit, as in the paper; `"channel"` for one for each
            channel; `"fixed"` for 1 everywhere. All start at 1.

    Call arguments:
        x: images, float tensor (batch, h, w, c), as the `FeatureNetwork` takes them.
        reconstruction: the mean of the decoder, in the same range and of the same shape.

    Returns:
        Tensor (batch,), float32: the weighted sum over layers of sums over units.

    Raises:
        ValueError: as `FeatureNetwork`; if the shapes differ, or with `scale="full"` are not known;
            if an argument is not as described.

    Example:

    >>> conv = keras.layers.Conv2D(4, 3, name="conv")
    >>> classifier = keras.Sequential([keras.Input((8, 8, 1)), conv, keras.layers.Flatten()])
    >>> classifier.trainable = False
    >>> loss = kd.losses.FeatureMatchingLoss(classifier, ["conv"])
    >>> loss(np.ones((8, 8, 8, 1)), np.zeros((8, 8, 8, 1))).shape
    (8,)

    Reference: Lamb et al., 2016 (Discriminative regularization), eq. 4 and 5.
    """

    def __init__(
        self,
        feature_model,
        layers=None,
        learn_scale=True,
        layer_weights=None,
        min_log_std=-4.0,
        scale="full",
        **kwargs,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if not is_choice(scale, SCALES):
            raise ValueError(f"`scale` must be one of {SCALES}. Received: scale={scale!r}")
        self.feature_model = _as_feature_network(feature_model, layers)
        self.layer_names = self.feature_model.layer_names
        self.learn_scale = check_flag("learn_scale", learn_scale) and scale != "fixed"
        self.scale = scale if self.learn_scale else "fixed"
        self.layer_weights = _named_weights(layer_weights, self.layer_names)
        self.min_log_std = checked_floor(min_log_std)
        self._log_stds = {}
        self._seen = False

    def build(self, input_shape):
        """Creates the log sigma, for images (batch, h, w, c)."""
        self.feature_model.build(input_shape)
        shapes = self.feature_model.compute_output_shape(input_shape)
        for name, (_, *shape) in zip(self.layer_names, shapes, strict=True):
            if self.scale == "fixed":
                continue
            shape = shape if self.scale == "full" else shape[-1:]
            if None in shape:
                raise ValueError(
                    'With scale="full", the loss must be built for images of known size. '
                    f"Received: images {tuple(input_shape)}, at the layer {name!r} {tuple(shape)}"
                )
            self._log_stds[name] = add_log_std(
                self, shape, self.min_log_std, name=f"log_std_{name}"
            )
        self.built = True

    def check_shape(self, input_shape):
        """Raises a ValueError unless images (batch, h, w, c) fit the classifier and log sigma.

        Nothing is computed.
        """
        self.feature_model.build(input_shape)
        shapes = self.feature_model.compute_output_shape(input_shape)
        for name, (_, *shape) in zip(self.layer_names, shapes, strict=True):
            if self.scale == "full" and tuple(shape) != tuple(self._log_stds[name].shape):
                raise ValueError(
                    "Images must be of the size that the loss was built for, with features at "
                    f"{name!r} of {tuple(self._log_stds[name].shape)}. Received: images "
                    f"{tuple(input_shape)}, with features of {tuple(shape)}"
                )

    def call(self, x, reconstruction):
        terms = self.per_layer(x, reconstruction)
        return sum(self.layer_weights[name] * term for name, term in terms.items())

    def per_layer(self, x, reconstruction, features=None):
        """The terms of the sum without their weights, as a dict of name to a tensor (batch,).

        Args:
            x, reconstruction: as in the call.
            features: the result of `features(x)`, to reuse it for several reconstructions of `x`.

        Raises:
            ValueError: if the loss is not built, the shapes differ or a layer's features are
                missing.
        """
        if not self.built:
            raise ValueError(
                "The loss must be built for `per_layer`: call `build((None, h, w, c))`, or the "
                f"loss itself. Received: {self.name}, which is not"
            )
        x, reconstruction = ops.convert_to_tensor(x), ops.convert_to_tensor(reconstruction)
        check_same_shape("x", x, "reconstruction", reconstruction)
        features = self.features(x) if features is None else features
        missing = [name for name in self.layer_names if name not in features]
        if missing:
            raise ValueError(
                f"`features` must be the result of `features(x)`. Received: none of {missing}"
            )
        predicted = self.feature_model.activations(reconstruction)
        terms = {}
        for name in self.layer_names:
            log_std = self.log_std(name)
            if self.scale == "full" and tuple(predicted[name].shape[1:]) != tuple(log_std.shape):
                raise ValueError(
                    "Images must be of the size that the loss was built for, with features at "
                    f"{name!r} of {tuple(log_std.shape)}. Received: features of "
                    f"{tuple(predicted[name].shape[1:])}"
                )
            wanted = ops.stop_gradient(ops.convert_to_tensor(features[name]))
            terms[name] = gaussian_nll(wanted, predicted[name], log_std)
        return terms

    def features(self, x):
        """The features d_l(x) of images, as a dict of name to a tensor, without a gradient.

        The range is checked for the first images whose values are available.
        """
        x = ops.convert_to_tensor(x)
        self._seen = self._seen or self.feature_model.check_images(x)
        found = self.feature_model.activations(ops.stop_gradient(x))
        return {name: ops.stop_gradient(value) for name, value in found.items()}

    def calibrate(self, images, batch_size=100):
        """Starts log sigma at each channel's standard deviation over some images, instead of at 0.

        These are about the values that would be learnt if all reconstructions were equal; features
        of networks such as VGG are in the hundreds, and Adam would need thousands of steps to reach
        them. The standard deviation of a single unit is not usable: it may be zero in all of these
        images, and the unit active in the next. No channel starts below a tenth of its layer's
        (root mean square) standard deviation; a layer with constant features starts at 0.

        Args:
            images: array (n, h, w, c), n >= 2, as the `FeatureNetwork` takes them.
            batch_size: number of images in a batch.

        Raises:
            ValueError: if there are fewer than two images, or as in the call.
        """
        if len(images) < 2:
            raise ValueError(
                f"`images` must hold at least two images. Received: {len(images)} of them"
            )
        if not self.built:
            self.build((None, *images.shape[1:]))
        if self.scale == "fixed":
            return
        moments = {name: [] for name in self.layer_names}
        for start in range(0, len(images), batch_size):
            for name, value in self.features(images[start : start + batch_size]).items():
                value = ops.convert_to_numpy(value).astype("float64")
                value = value.reshape(-1, value.shape[-1])
                moments[name].append([value.sum(axis=0), np.square(value).sum(axis=0), len(value)])
        for name, parts in moments.items():
            first, second, count = (sum(part) for part in zip(*parts, strict=True))
            variance = np.maximum(second / count - (first / count) ** 2, 0)
            if not variance.any():
                continue
            # Channels that are inactive here may be active in a reconstruction.
            log_std = 0.5 * np.log(np.maximum(variance, QUIETEST**2 * variance.mean()))
            if self.min_log_std is not None:
                log_std = np.maximum(log_std, self.min_log_std)
            weight = self._log_stds[name]
            weight.assign(np.broadcast_to(log_std, weight.shape).astype("float32"))

    def log_std(self, name):
        """log sigma of a layer: of the shape of its features, or (channels,), or () if fixed."""
        if name not in self.layer_names:
            raise ValueError(f"`name` must be one of {self.layer_names}. Received: name={name!r}")
        if self.scale == "fixed":
            return ops.zeros(())
        return floored(self._log_stds[name], self.min_log_std)

    def check_log_std(self, ceiling=12.0):
        """Raises a ValueError that names the layers whose scales diverged.

        It copies the scales to the host, so it cannot be called inside a training step. A scale
        that grows without bound removes its layer from the objective.

        Args:
            ceiling: the largest log sigma accepted; 12 is a sigma of 160000.
        """
        bad = {}
        for name in self.layer_names:
            values = ops.convert_to_numpy(self.log_std(name))
            # Written so that NaN fails the comparison too.
            if not (values <= ceiling).all() or np.isneginf(values).any():
                bad[name] = f"{values.min()} to {values.max()}"
        if bad:
            raise ValueError(
                f"log sigma must be finite and at most {ceiling}. Received: {bad}. A smaller "
                "weight of these layers, a lower learning rate or scale='channel' may help"
            )

    def compute_output_shape(self, x_shape, reconstruction_shape):
        return (x_shape[0],)

    # Saving

    @classmethod
    def from_config(cls, config):
        config = {k: saving.deserialize_keras_object(v) for k, v in config.items()}
        return cls(**config)

    def get_config(self):
        config = super().get_config()
        del config["dtype"]
        return {
            **config,
            "feature_model": saving.serialize_keras_object(self.feature_model),
            "learn_scale": self.learn_scale,
            "layer_weights": dict(self.layer_weights),
            "min_log_std": self.min_log_std,
            "scale": self.scale,
        }


def _as_feature_network(feature_model, layers):
    if not isinstance(feature_model, FeatureNetwork):
        return FeatureNetwork(feature_model, layers)
    if layers is None:
        return feature_model
    names = list(layers) if isinstance(layers, (list, tuple)) else [layers]
    unknown = [name for name in names if name not in feature_model.layer_names]
    if unknown:
        raise ValueError(
            f"`layers` must be among those of `feature_model`, {feature_model.layer_names}. "
            f"Received: {unknown}"
        )
    return FeatureNetwork(
        feature_model.network,
        names,
        feature_model.preprocessing,
        feature_model.image_size,
        feature_model.repeat_grey,
    )


def _named_weights(layer_weights, names):
    if layer_weights is None:
        layer_weights = [1.0] * len(names)
    if not isinstance(layer_weights, dict):
        try:
            layer_weights = dict(zip(names, layer_weights, strict=True))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`layer_weights` must be a number for each of the layers {names}. "
                f"Received: layer_weights={layer_weights}"
            ) from error
    if set(layer_weights) != set(names):
        raise ValueError(
            f"`layer_weights` must have the layers {names} as keys. "
            f"Received: layer_weights={layer_weights}"
        )
    return {name: check_weight(f"layer_weights[{name!r}]", layer_weights[name]) for name in names}
