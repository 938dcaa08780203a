"""A classifier beside the discriminator of a conditional GAN, as in AC-GAN."""

import keras
from keras import ops

from keras_disentangle._arguments import check_weight
from keras_disentangle._tensors import widen
from keras_disentangle.models._networks import check_apart, serialize


class AuxiliaryClassifier:
    """The part of `GAN` that trains a classifier on the discriminator's features.

    Reference: Odena et al., 2017 (AC-GAN), section 3.
    """

    def add_auxiliary_head(self, head, weight):
        """Sets the arguments `auxiliary_head` and `auxiliary_weight` of a model.

        Raises:
            ValueError: if it is not a layer from the discriminator's features to logits of the
                classes, the model has no classes, or the weight is negative.
        """
        self.auxiliary_head = head
        self.auxiliary_weight = check_weight("auxiliary_weight", weight)
        if head is None:
            return
        if self.labels is None or self.labels.num_classes is None:
            raise ValueError(
                "`auxiliary_head` must be None unless `labels` are classes. "
                f"Received: labels={self.labels!r}"
            )
        if self.features_shape is None:
            raise ValueError(
                "`discriminator` must give [logits, features]: `auxiliary_head` reads its "
                "features. Received: one output"
            )
        if not isinstance(head, keras.layers.Layer):
            raise ValueError(
                f"`auxiliary_head` must be a Keras layer or model. Received: auxiliary_head={head}"
            )
        features = (None, *self.features_shape)
        if not head.built:
            head.build(features)
        made = tuple(head.compute_output_shape(features))[1:]
        if made != (self.labels.num_classes,):
            raise ValueError(
                "`auxiliary_head` must give a logit for each class, "
                f"{('batch', self.labels.num_classes)}. Received: {('batch', *made)}"
            )
        check_apart(generator=self.generator, discriminator=self.discriminator, auxiliary_head=head)
        self.add_terms("class_loss_real", "class_loss_fake")
        self.add_ramp("auxiliary_weight", self.auxiliary_weight)

    @property
    def auxiliary_heads(self):
        """The head in a tuple, which is empty without one."""
        return () if self.auxiliary_head is None else (self.auxiliary_head,)

    def class_objective(self, features, real_features=None, labels=None):
        """The weighted classification loss of a player: a scalar; 0 without a head.

        Args:
            features: the discriminator's features of generated images.
            real_features: those of real images, for the discriminator, which is trained on both.
            labels: the classes of both, (batch,).
        """
        if self.auxiliary_head is None:
            return 0.0
        loss = ops.mean(self._class_loss("class_loss_fake", features, labels, real_features))
        if real_features is not None:
            loss = loss + ops.mean(
                self._class_loss("class_loss_real", real_features, labels, real_features)
            )
        return self.ramps["auxiliary_weight"](self.step) * loss

    def _class_loss(self, name, features, labels, tracked):
        """-log P(C = c | x) of each image, in nats; logged in the discriminator's update."""
        logits = widen(self.auxiliary_head(features, training=True))
        loss = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if tracked is not None:
            self.track(name, loss)
        return loss

    def auxiliary_config(self):
        head = self.auxiliary_head
        return {
            "auxiliary_head": None if head is None else serialize(head),
            "auxiliary_weight": self.auxiliary_weight,
        }
