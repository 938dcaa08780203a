"""A decorator for the methods that use a model and do not train it."""

import functools

from keras import tree

from keras_disentangle.trainers._backend import backend


def inference(method):
    """Decorates a method that uses a model and does not train it: its results hold no graph.

    PyTorch would keep everything that they were computed from. Gradients with respect to an
    argument that requires them still flow.
    """

    @functools.wraps(method)
    def use(self, *args, **kwargs):
        with backend.no_graph(tree.flatten((args, kwargs))):
            return method(self, *args, **kwargs)

    return use
