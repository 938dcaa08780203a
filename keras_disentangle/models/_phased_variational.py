"""Variational models that train in phases: the bound, then networks that look at the codes."""

import keras
from keras import ops

from keras_disentangle.trainers import Phase, PhasedModel
from keras_disentangle.trainers._backend import backend


class PhasedVariational(PhasedModel):
    """What turns a variational model into one that trains in phases.

    A subclass names this class before the model, `class FactorVAE(PhasedVariational, VAE)`. Its
    `phases` begin with `bound_phase`, which trains on the model's whole objective: the bound,
    further terms and penalties. In all other phases the outputs of `call` for the batch are
    constants, `shared`, so that no gradient of theirs reaches the encoder. `batch["images"]` are
    the images.

    To the outside it remains a variational model, which can be validated and evaluated.
    """

    # `evaluate` weights examples; the train step does not.
    refused_arguments = ("sample_weight", "class_weight")

    def __init__(self, *args, **kwargs):
        # Without that of `PhasedModel`, whose generator of random numbers would be a second one.
        super(PhasedModel, self).__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean("loss")

    @property
    def seed_generator(self):
        return self.sampling.seed_generator

    def bound_phase(self, *others):
        """The phase `vae`: it updates every variable that does not belong to the networks `others`,
        which later phases train."""
        networks = tuple(x for x in self.layers if all(x is not other for other in others))
        known = {id(v) for layer in self.layers for v in layer.trainable_variables}
        own = tuple(v for v in self.trainable_variables if id(v) not in known)
        return Phase("vae", networks, self._mean_objective, True, own)

    def prepare(self, x):
        """A dict of the images, and as `x` what `call` takes: in a conditional model, a pair."""
        self.look_at_labels(self.trackers["reconstruction"], x)
        images, _ = self.parted(x)
        size, smallest = ops.shape(images)[0], self._smallest_batch
        if images.shape[0] is None:
            backend.require(size >= smallest, self._batch_message, size)
        else:
            self._check_batch_size(images.shape[0])
        return {"x": x, "images": images}

    def share(self, batch):
        outputs = self(batch["x"], training=True)
        # Without the labels, which are no result and cannot be differentiated.
        return {name: value for name, value in outputs.items() if name != "labels"}

    def objective(self, x, y_pred, sample_weight=None, training=True):
        loss = super().objective(x, y_pred, sample_weight, training)
        self.loss_tracker.update_state(ops.stop_gradient(loss), sample_weight)
        return loss

    def _mean_objective(self, batch, outputs):
        _, given = self.parted(batch["x"])
        return ops.mean(self.objective(batch["images"], {**given, **outputs}))

    # Not as in `PhasedModel`, which has neither labels nor a loss.

    def joined(self, x, y):
        return super(PhasedModel, self).joined(x, y)

    def evaluate(self, *args, **kwargs):
        return super(PhasedModel, self).evaluate(*args, **kwargs)

    @property
    def metrics(self):
        return [self.loss_tracker, *super().metrics]
