"""The output of a VAE's decoder as a function of the codes, for penalties."""

from keras import ops

from keras_disentangle._keras_graph import all_layers


class Generated:
    """The logits or means of a `VariationalModel` as a function of the codes.

    It has the interface of `LayerActivations`, with a single output that has no name.

    Args:
        model: the `VariationalModel`.
        outputs: `None`: the layers of several networks have no names of their own.

    Raises:
        ValueError: if layers are named.
    """

    names = present = ()

    def __init__(self, model, outputs):
        if outputs is not None:
            raise ValueError(
                "`outputs` must be None, the output of the decoder, for a model whose decoder is "
                f"made of several networks. Received: outputs={outputs!r}"
            )
        self._model = model

    @property
    def layers(self):
        return all_layers(*self._model.generative_networks)

    def function(self, codes, copies=1, training=False):
        """As `LayerActivations.function`; of a conditional model, `codes` is (codes, labels)."""
        model, given = self._model, {}
        if isinstance(codes, tuple):
            codes, labels = codes
            given["labels"] = ops.concatenate([labels] * copies)
        return lambda z: model.generate(model.split(z), training=training, **given), codes

    def by_layer(self, found):
        return {"": found}
