"""Prints, as JSON, every model's terms over eleven steps on the backend of KERAS_BACKEND.

Also the moving statistics of batch normalisation and the optimizers' variables, after the first
and after the last step. Weights, draws and images come from NumPy, so that only the backend's
arithmetic differs.
"""

import json

import keras
from model_table import MODELS
from tabled_random import TABLED
from tiny_networks import IMAGES
from tiny_training import StepLogs, adams, assign_by_hand, fit, numbers


class Variables(keras.callbacks.Callback):
    """Keeps, after some steps, what `choose(model)` gives: a dict of name to variables."""

    def __init__(self, steps):
        super().__init__()
        self.steps, self.kept = steps, []

    def on_train_batch_end(self, batch, logs=None):
        model = self.model  # On JAX this writes the state back.
        if int(model.step) in self.steps:
            found = {"moving": [v for v in model.weights if "moving" in v.path]}
            for name, optimizer in getattr(model.optimizer, "slots", {"": model.optimizer}).items():
                found[f"{name}_optimizer"] = optimizer.variables
            self.kept.append(
                {key: [a.tolist() for a in numbers(values)] for key, values in found.items()}
            )


def main():
    for name, draw in TABLED.items():
        setattr(keras.random, name, draw)
    found = {}
    for name, row in MODELS.items():
        model, logs, variables = row.build(), StepLogs(), Variables((1, 11))
        assign_by_hand(model)
        model.compile(**adams(model, 1e-3))
        fit(model, IMAGES, epochs=11, compile_with=False, callbacks=[logs, variables])
        terms = {term: logs.column(term).tolist() for term in logs.steps[0]}
        found[name] = {"terms": terms, "variables": variables.kept}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
