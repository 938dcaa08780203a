"""Prints, as JSON, every model's terms over eleven steps on the backend of KERAS_BACKEND.

Weights, noise and images come from NumPy, so that only the backend's arithmetic differs.
"""

import json

import keras
from tiny_models import IMAGES, MODELS, StepLogs, assign_by_hand, fit, tabled_normal


def main():
    keras.random.normal = tabled_normal
    terms = {}
    for name, row in MODELS.items():
        model, logs = row.build(), StepLogs()
        assign_by_hand(model)
        model.compile(keras.optimizers.Adam(1e-3))
        fit(model, IMAGES, epochs=11, compile_with=False, callbacks=[logs])
        terms[name] = {term: logs.column(term).tolist() for term in logs.steps[0]}
    print(json.dumps(terms))


if __name__ == "__main__":
    main()
