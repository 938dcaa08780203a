"""Finds the layers of a network whose outputs are used as features."""

import keras

from keras_disentangle._arguments import is_choice
from keras_disentangle._keras_graph import all_layers, nodes_behind


def check_network(network, also=""):
    """Raises a ValueError unless `network` has a graph of layers with one input."""
    if not isinstance(network, keras.Model) or len(getattr(network, "inputs", None) or ()) != 1:
        raise ValueError(
            "`network` must be a functional or sequential `keras.Model` of one input, and built"
            f"{also}. Received: network={network!r}"
        )


def layer_outputs(network, layers):
    """Dict from the names of layers to their outputs in the graph of `network`.

    Args:
        network: a model that `check_network` accepts.
        layers: layers, or names of layers, of levels of a backbone's pyramid ("P3"), or of outputs,
            if these are a dict.

    Raises:
        ValueError: if there is no such layer, one has several outputs, or one is named twice.
    """
    layers = list(layers) if isinstance(layers, (list, tuple)) else [layers]
    if not layers or any(layer is None for layer in layers):
        raise ValueError(f"`layers` must name at least one layer. Received: layers={layers}")
    nodes = [n for n in nodes_behind(network.outputs) if not n.is_input]
    levels = _levels(network)
    found = {}
    for layer in layers:
        name = getattr(layer, "name", layer)
        given = [n for n in nodes if is_choice(layer, (n.operation, n.operation.name))]
        tensors = [x for n in given for x in n.output_tensors]
        if not tensors and isinstance(layer, str) and layer in levels:
            tensors = [levels[layer]]
        if not tensors:
            raise ValueError(_no_such_layer(network, layer, nodes, levels))
        if len(tensors) > 1:
            raise ValueError(
                "`layers` must be used once in `network`, with one output. "
                f"Received: {name!r}, with {len(tensors)} outputs"
            )
        if name in found:
            raise ValueError(f"`layers` must be different ones. Received: {name!r} twice")
        found[name] = tensors[0]
    return found


def first_that_fails(network, shape):
    """The name of the first layer of `network` that fails for an input of this shape."""
    nodes = nodes_behind(network.outputs)
    for node in sorted(nodes, key=lambda n: len(nodes_behind(n.output_tensors))):
        try:
            keras.Model(network.inputs, node.output_tensors).compute_output_shape(shape)
        except Exception:
            return node.operation.name


def _levels(network):
    """Tensors by name: levels of a backbone's pyramid, and entries of outputs that are a dict."""
    outputs = getattr(network, "output", None)
    levels = dict(outputs) if isinstance(outputs, dict) else {}
    # KerasCV stores the names of layers, KerasHub their outputs.
    for name, layer in (getattr(network, "pyramid_level_inputs", None) or {}).items():
        levels[name] = network.get_layer(layer).output
    levels.update(getattr(network, "pyramid_outputs", None) or {})
    return levels


def _no_such_layer(network, layer, nodes, levels):
    name = getattr(layer, "name", layer)
    names = list(dict.fromkeys(n.operation.name for n in reversed(nodes)))
    inside = [x.name for x in all_layers(network, include_self=False)]
    message = f"No such layer: {name}. `layers` must be layers of `network` or their names, {names}"
    message += f", or names of its levels, {sorted(levels)}. " if levels else ". "
    if name in inside and name not in names:
        message += "A layer inside another model has to be given with that model as `network`. "
    return f"{message}Received: {layer!r}"
