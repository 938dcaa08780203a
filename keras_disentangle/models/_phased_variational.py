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
    constants, `shared`, so that no gradient of theirs reaches the encoder. `batch["x"]` is the
    images.

    To the outside it remains a variational model, which can be validated and evaluated.
    """

    takes_labels = False
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
        size = ops.shape(x)[0]
        if x.shape[0] is None:
            smallest = self._smallest_batch
            backend.require(size >= smallest, self._batch_message, size)
        else:
            self._check_batch_size(x.shape[0])
        return {"x": x}

    def share(self, batch):
        return self(batch["x"], training=True)

    def objective(self, x, y_pred, sample_weight=None, training=True):
        loss = super().objective(x, y_pred, sample_weight, training)
        self.loss_tracker.update_state(ops.stop_gradient(loss), sample_weight)
        return loss

    def _mean_objective(self, batch, outputs):
        return ops.mean(self.objective(batch["x"], outputs))

    def evaluate(self, *args, **kwargs):
        # Not as `PhasedModel`, which has no loss.
        return super(PhasedModel, self).evaluate(*args, **kwargs)

    @property
    def metrics(self):
        return [self.loss_tracker, *super().metrics]
