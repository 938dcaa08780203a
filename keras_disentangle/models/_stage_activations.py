"""The activations of a growing generator's hidden layers, for penalties."""

from keras import ops

from keras_disentangle._keras_graph import all_layers


class StageActivations:
    """The activations of a `ProgressiveGAN`'s generator as a function of the codes.

    It has the interface of `LayerActivations`; layers that are not in use in the present stage are
    left out, and penalties of layers that fade in are weighted by alpha.

    Args:
        model: the `ProgressiveGAN`.
        outputs: names of hidden layers, or the number of layers, counted from the first.

    Raises:
        ValueError: if the generator has no such layers.
    """

    def __init__(self, model, outputs):
        self._model = model
        known = model.generator.hidden_names
        if isinstance(outputs, int):
            wanted = known[:outputs]
        else:
            wanted = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        unknown = [name for name in wanted if name not in known]
        if unknown or not wanted:
            raise ValueError(
                f"`outputs` must be among the hidden layers of `generator`, {known}. "
                f"Received: {outputs!r}"
            )
        self.names = [name for name in known if name in wanted]
        self._num_layers = known.index(self.names[-1]) + 1

    @property
    def layers(self):
        return all_layers(self._model.generator)

    @property
    def present(self):
        in_use = self._model.generator.hidden_names[: 2 * (self._model.stage + 1)]
        return [name for name in self.names if name in in_use]

    def function(self, z, copies=1, training=False):
        model, self._stages = self._model, {}

        def activations(z):
            found = model.generator.activations(z, model.stage, self._num_layers)
            self._stages = {name: stage for name, _, stage in found}
            return {name: x for name, x, _ in found if name in self.names}

        return activations, z

    def by_layer(self, found):
        alpha, newest = self._model.alpha(), self._model.stage or None
        found = {name: ops.cast(found[name], "float32") for name in self._stages if name in found}
        return {
            name: alpha * value if self._stages[name] == newest else value
            for name, value in found.items()
        }
