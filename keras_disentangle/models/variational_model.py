"""The base of the variational auto-encoders: the bound, its terms as metrics, step and ramps."""

from functools import partial

import keras
from keras import ops

from keras_disentangle._arguments import check_int, check_seed, check_weight, listed
from keras_disentangle._log_std import checked_floor
from keras_disentangle.latents.as_space import space_of_rungs
from keras_disentangle.layers import GaussianSampling
from keras_disentangle.losses import gaussian_kl
from keras_disentangle.losses._layer_activations import LayerActivations
from keras_disentangle.models._conditioning import Conditional, inputs_of
from keras_disentangle.models._generated import Generated
from keras_disentangle.models._hessian_shorthand import ARGUMENTS_OF_RAMPS, as_penalties
from keras_disentangle.models._networks import output_activation
from keras_disentangle.models._variational_fitting import VariationalFitting
from keras_disentangle.models._variational_use import VariationalUse
from keras_disentangle.observations._shorthand import as_arguments, as_observation
from keras_disentangle.penalties import GeneratorPenalty, PosteriorPenalty, ReconstructionPenalty
from keras_disentangle.trainers.stepped_model import SteppedModel
from keras_disentangle.trainers.term_metrics import GuardedMean, PresentValue


class VariationalModel(VariationalUse, VariationalFitting, Conditional, SteppedModel):
    r"""Base of the variational models: $-\log p(x|z) + \sum_l w_l\, KL(q(z_l|x) \| p(z_l))$.

    A subclass implements the hooks `infer` and `generate`; it may override `kl_weights` and
    `further_terms`. Latent codes are concatenated from the most abstract rung down.

    Attributes:
        step, ramps: as in `SteppedModel`.
        space: the `LatentSpace` of the rungs: a `Normal` code for each, the most abstract first.
        rung_sizes: number of dimensions of each rung.
        latent_dim: their sum.
        has_posteriors: whether images have posteriors, and the objective KL terms. A model without
            (a quantised auto-encoder) has no `beta`, gives its own `space`, and no `log_var`.
        observation: the `Observation`, whose weights belong to this model.

    Args:
        rung_sizes: number of dimensions of each rung, the most abstract first.
        rung_names: the rungs' names, as codes of `space` and in metrics (`kl_<name>`); `None` for a
            single rung ("normal", `kl`).
        image_shape: (height, width, channels), or (features,) of vectors.
        beta: weight of the KL terms, >= 0: the start of the ramp `beta`.
        observation: `"bernoulli"` (the decoder gives logits, images lie in [0, 1]), `"gaussian"`
            (it gives means), or an `Observation`, of which the model takes a copy.
        pixel_scale, min_log_std: the arguments of `Gaussian` for `observation="gaussian"`.
        seed: integer seed of the latent noise, or `None`.
        decoder: the network that `generate` calls, if it is a single one: penalties may then name
            its layers.
        space: the `LatentSpace` of a model without posteriors, in place of the rungs.
        hessian_penalty: `None`, or a dict of keywords of `kd.penalties.HessianPenalty` (`{}` for
            its defaults): a shorthand for that penalty, with a weight that begins at 0.
        penalties: list of `kd.penalties.Penalty` objects added to the objective: of the decoder's
            outputs (logits or means) at the sampled codes, of the posterior, or of the
            reconstruction.
        labels: `None`; or, of a conditional model, a `kd.latents.Labels` or a number of classes.
            The hooks then get labels by the keyword `labels`.

    Raises:
        ValueError: if `beta` is negative, `observation` or `pixel_scale` is none of these,
            `min_log_std` is positive, one of the two comes with an `Observation`, or
            `hessian_penalty` has an unknown key or one that is out of range.
    """

    penalty_kinds = (GeneratorPenalty, PosteriorPenalty, ReconstructionPenalty)
    arguments_of_ramps = ARGUMENTS_OF_RAMPS
    has_posteriors = True

    def __init__(
        self,
        *,
        rung_sizes=None,
        rung_names=None,
        image_shape,
        beta=None,
        observation,
        seed=None,
        decoder=None,
        space=None,
        hessian_penalty=None,
        pixel_scale="scalar",
        min_log_std=None,
        penalties=(),
        labels=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.set_labels(labels)
        self.observation = as_observation(observation, pixel_scale, min_log_std)
        try:
            image_shape = tuple(check_int("image_shape", side) for side in listed(image_shape))
        except TypeError:
            image_shape = ()
        if len(image_shape) not in (1, 3):
            raise ValueError(
                "`image_shape` must be (height, width, channels), or (features,) of vectors. "
                f"Received: image_shape={image_shape}"
            )
        if self.has_posteriors:
            space = space_of_rungs("rung_sizes", rung_sizes, rung_names)
        self.space = space
        self.latent_dim = self.space.dim
        self.image_shape = image_shape
        self.beta = check_weight("beta", beta) if self.has_posteriors else None
        arguments = as_arguments(self.observation)
        self.pixel_scale = arguments.get("pixel_scale", pixel_scale)
        self.min_log_std = arguments.get("min_log_std", checked_floor(min_log_std))
        self.seed = check_seed("seed", seed)

        self.sampling = GaussianSampling(seed=seed, name="sampling")
        if self.has_posteriors:
            self.add_ramp("beta", beta)
        self.observation.add_weights(self, image_shape)
        for name in self.observation.logged():
            self.trackers[name] = PresentValue(name=name)
        self.batch_mean = BatchMean()
        kl_names = ["kl"] if rung_names is None else [f"kl_{name}" for name in self.space.names]
        kl_names = kl_names if self.has_posteriors else []
        self.trackers["reconstruction"] = GuardedMean(
            "reconstruction", lambda: self.step, labelled=self.labels is not None
        )
        self.add_terms(*kl_names)
        self.kl_names = kl_names
        # As a function, so that Keras does not track the network before its subclass does.
        self._decoder = lambda: decoder
        self.add_penalties(penalties)
        self.hessian_penalty = hessian_penalty
        self.add_penalties(as_penalties(hessian_penalty), given=False)

    @property
    def rung_sizes(self):
        return tuple(code.dim for code in self.space.codes)

    @property
    def log_std(self):
        """The log standard deviations of Gaussian observations, a variable."""
        return self.observation.log_std

    # Hooks

    def infer(self, x, training=False):
        """Images (batch, h, w, c) to a list of (mean, log_var) of the rungs, each (batch, d_l)."""
        raise NotImplementedError

    def generate(self, codes, training=False):
        """A list of codes (batch, d_l), one for each rung, to logits or means (batch, h, w, c)."""
        raise NotImplementedError

    @property
    def generative_networks(self):
        """The networks that `generate` calls; penalties check their layers."""
        return []

    @property
    def inference_networks(self):
        """The networks that `infer` calls; without a second input they need no labels."""
        return []

    def kl_weights(self, beta):
        """The weight of each rung's KL term at the present step: a list of scalars."""
        return [beta] * len(self.rung_sizes)

    @property
    def bounded(self):
        """The reason, used in errors, why images must lie in [0, 1]; `None` if they need not, and
        `False` if not even large numbers are unlikely."""
        for penalty in self.penalties:
            if isinstance(penalty, ReconstructionPenalty) and penalty.bounded:
                return penalty.bounded
        if not self.observation.in_unit_interval:
            # Large numbers are a mistake in images, if nothing says that they are meant.
            is_any = self.observation.any_scale or len(self.image_shape) == 1
            return False if is_any else None
        return f"for {type(self.observation).__name__} observations"

    def further_terms(self, x, outputs, training):
        """Further terms of the objective, declared by `add_terms`.

        Args:
            x: the images.
            outputs: the outputs of `call` for them.
            training: whether it was called in training mode.

        Returns:
            Dict from name to (weight, value), the value a tensor (batch,).
        """
        return {}

    # Penalties

    def activations(self, outputs):
        if outputs is None or self._decoder() is None:
            return Generated(self, outputs)
        return LayerActivations(self._decoder(), outputs)

    def _evaluation(self, penalty, directions, x, outputs, training):
        """The function without arguments that evaluates a penalty on a batch."""
        given = {"labels": outputs["labels"]} if "labels" in outputs else {}
        if isinstance(penalty, GeneratorPenalty):
            codes = ops.cast(outputs["code"], "float32")
            # Of a quantised code, whole dimensions may have one value within a batch.
            spread = codes if self.has_posteriors else ops.cast(outputs["mean"], "float32")
            if not penalty.code_gradient:
                codes, spread = ops.stop_gradient(codes), ops.stop_gradient(spread)
            directions = self.scaled(penalty, directions, spread)
            if given:
                is_whole = penalty.outputs is None
                codes = (codes, *given.values()) if is_whole else self._inputs(codes, **given)
            return partial(self.generator_penalty, penalty, codes, directions, training)
        if isinstance(penalty, ReconstructionPenalty):
            reconstruction = outputs["reconstruction"]
            if not penalty.encoder_gradient and training:
                code = ops.stop_gradient(outputs["code"])
                reconstruction = self.generate(self.split(code), training=training, **given)
            return partial(penalty.evaluate, x, self.image(reconstruction))
        parts = (outputs.get(name) for name in ("code", "mean", "log_var"))
        parts = (part if part is None else ops.cast(part, "float32") for part in parts)
        values = {key: self.ramps[name](self.step) for key, name in penalty.ramped.items()}
        evaluate = partial(penalty.evaluate, **values) if values else penalty.evaluate
        if penalty.batch_statistic:
            return self.on_global_batch(evaluate, *parts)
        return partial(evaluate, *parts)

    def _inputs(self, codes, labels):
        """The inputs of the single decoder of a conditional model, for penalties of its layers."""
        return inputs_of(self._decoder(), codes, labels)

    # The objective

    def call(self, x, training=False):
        """Images to a dict: `reconstruction` (logits or means), `code`, `mean`, `log_var`.

        A conditional model takes a pair [images, labels], and returns `labels` too.
        """
        x, given = self.parted(x)
        posteriors = self.infer(x, training=training, **given)
        codes = [self.sampled(mean, log_var) for mean, log_var in posteriors]
        return {
            **given,
            "reconstruction": self.generate(codes, training=training, **given),
            "code": ops.concatenate(codes, axis=-1),
            "mean": ops.concatenate([mean for mean, _ in posteriors], axis=-1),
            "log_var": ops.concatenate([log_var for _, log_var in posteriors], axis=-1),
        }

    def sampled(self, mean, log_var):
        """Codes (batch, d) from a posterior, with noise that replicas do not share."""
        width = mean.shape[-1]
        noise = self.draw(lambda n: self.sampling.draw((n, width)), ops.shape(mean)[0])
        return self.sampling(mean, log_var, noise)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The negative bound in nats, averaged over the batch; tracks every term of it."""
        self.look_at_labels(self.trackers["reconstruction"], x)
        x, _ = self.parted(x)
        loss = self.objective(x, y_pred, sample_weight, training)
        self.track_ramps()
        # Losses that the layers of the networks add: regularisers, `add_loss`.
        for extra in self.losses:
            loss = loss + ops.cast(ops.sum(extra), "float32")
        if training:
            self.step.assign_add(1)
        return self.batch_mean(loss, loss, sample_weight)

    def objective(self, x, y_pred, sample_weight=None, training=True):
        """The negative bound of each image in nats, (batch,), with all further terms and penalties.

        Every term is tracked. Losses that layers add are not part of it.
        """
        smallest = self._smallest_batch if training else self._smallest_evaluated
        if training:
            self._check_batch_size(x.shape[0])
        # Batches of `tf.data` and generators may be of any dtype, such as uint8 or float64.
        x = ops.cast(x, y_pred["mean"].dtype)
        self.trackers["reconstruction"].look(x, self.bounded, smallest, self._batch_message)
        reconstruction = self.negative_log_likelihood(x, y_pred["reconstruction"])
        terms = {"reconstruction": (1.0, reconstruction)}
        if self.has_posteriors:
            means, log_vars = self.split(y_pred["mean"]), self.split(y_pred["log_var"])
            kls = map(gaussian_kl, means, log_vars)
            kl_weights = self.kl_weights(self.ramps["beta"](self.step))
            terms.update(zip(self.kl_names, zip(kl_weights, kls, strict=True), strict=True))
        terms.update(self.further_terms(x, y_pred, training))
        loss = 0.0
        for name, (weight, value) in terms.items():
            value = ops.cast(value, "float32")
            loss = loss + weight * value
            self.track(name, value, sample_weight)
        seed = self.sampling.seed_generator
        drawn = self.draw_directions(ops.shape(x)[0], self.latent_dim, seed)
        for penalty, directions in zip(self.penalties, drawn, strict=True):
            evaluate = self._evaluation(penalty, directions, x, y_pred, training)
            loss = self.penalised(loss, penalty, evaluate, training, sample_weight)
        for name, value in self.observation.logged().items():
            self.trackers[name].update_state(value)
        return loss

    def negative_log_likelihood(self, x, prediction):
        """-log p(x|z) in nats, summed over pixels: tensor (batch,).

        Raises:
            ValueError: if a user-defined observation gives another shape.
        """
        found = self.observation.negative_log_likelihood(x, prediction)
        if len(found.shape) != 1:
            raise ValueError(
                "`observation.negative_log_likelihood` must give a number for each image, (batch,)."
                f" Received: {tuple(found.shape)} from {self.observation!r}"
            )
        return found

    def _check_logits(self, name, network):
        """Raises a ValueError if a network that must give logits ends in an activation."""
        activation = output_activation(network)
        if self.observation.takes_logits and activation not in (None, "linear"):
            raise ValueError(
                f"`{name}` must give logits for {type(self.observation).__name__} observations, so "
                "it must not end in an activation (the model applies the sigmoid itself); or use "
                f'observation="gaussian". Received: a network that ends in {activation}'
            )

    # Saving

    @property
    def input_signature(self):
        return self.signature(keras.InputSpec(shape=(None, *self.image_shape), dtype="float32"))

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """`keras.Model.export` of `call`, whether or not the model was called before.

        Raises:
            ValueError: on PyTorch, which cannot export random draws.
        """
        if keras.backend.backend() == "torch":
            raise ValueError(
                "`export` of a whole model must be on TensorFlow or JAX: its codes are drawn at "
                "random, and PyTorch cannot export random draws. Export its parts, "
                "`model.decoder_model().export(...)` and `model.encoder_model().export(...)`. "
                f"Received: {self}, format={format!r}"
            )
        return super().export(filepath, format, **kwargs)

    def get_config(self):
        return {
            **super().get_config(),
            "beta": self.beta,
            "seed": self.seed,
            "hessian_penalty": self.hessian_penalty,
            "pixel_scale": self.pixel_scale,
            "min_log_std": self.min_log_std,
            "labels": keras.saving.serialize_keras_object(self.labels),
            **as_arguments(self.observation),
        }


class BatchMean(keras.losses.Loss):
    """The (weighted) mean of per-example losses, scaled as Keras scales losses over replicas."""

    def __init__(self):
        super().__init__(reduction="sum_over_batch_size", dtype="float32")

    def call(self, y_true, y_pred):
        return y_pred
