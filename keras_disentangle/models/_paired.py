"""Variational models that train on pairs of images."""

from keras import ops


class Paired:
    """What turns a variational model into one whose `fit` and `evaluate` take pairs of images.

    A subclass names this class before the model, `class AdaGVAE(Paired, VAE)`. `call` takes pairs
    (batch, 2, h, w, c) as 2 * batch images, those of a pair next to each other, and the objective
    is the mean over all of them. To the outside it remains a model of images (n, h, w, c), which
    `predict` takes too.
    """

    takes_labels = False
    images_per_example = 2

    def pair_up(self, mean, log_var):
        """The posteriors (2 * batch, d) of the images of pairs, from those of each; a hook."""
        return mean, log_var

    def infer(self, x, training=False):
        if len(x.shape) == len(self.image_shape) + 1:
            return super().infer(x, training=training)
        posteriors = super().infer(self._unpaired(x), training=training)
        return [self.pair_up(mean, log_var) for mean, log_var in posteriors]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if sample_weight is not None:
            sample_weight = ops.repeat(sample_weight, 2, axis=0)
        return super().compute_loss(self._unpaired(x), y, y_pred, sample_weight, training)

    def _unpaired(self, x):
        return ops.reshape(x, (-1, *self.image_shape))


def halves(x):
    """The first and the second rows of pairs (2 * batch, d) that lie next to each other."""
    return x[::2], x[1::2]


def joined(first, second):
    """The rows (2 * batch, d) that `halves` takes apart."""
    return ops.reshape(ops.stack([first, second], axis=1), (-1, *first.shape[1:]))
