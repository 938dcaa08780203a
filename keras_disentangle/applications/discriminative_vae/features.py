"""The classifiers of a recipe: whose features regularise a model, and which evaluates it."""

from keras_disentangle.applications._shared.files import load_model
from keras_disentangle.applications.discriminative_vae.classifier import train_classifier
from keras_disentangle.applications.discriminative_vae.discriminative_vae import (
    untrained_classifier,
)
from keras_disentangle.applications.discriminative_vae.networks import average_pooled
from keras_disentangle.layers import FeatureNetwork

CLASSIFIERS = ("classifier", "evaluator")


def regularizer(recipe):
    """The network whose features are matched: from a file, or yet to be trained.

    Raises:
        ValueError: if the file is missing or damaged, or the architecture unknown.
    """
    if recipe.architecture != "own":
        network = FeatureNetwork.from_applications(
            recipe.architecture, recipe.layers, recipe.classifier
        )
        return average_pooled(network) if recipe.pooling == "average" else network
    if recipe.classifier is None:
        return untrained_classifier(recipe.image_shape)
    return load_frozen(recipe.classifier)


def load_frozen(path):
    """A frozen classifier from a `.keras` file."""
    network = load_model(path, "classifier")
    network.trainable = False
    return network


def train_own(recipe, kind, splits, seed, **options):
    """A trained classifier of a recipe's data, with its accuracy on test images after each epoch.

    Args:
        kind: one of `CLASSIFIERS`.
        splits: `Splits`.
        **options: `verbose` and `callbacks`, as in `train_classifier`.
    """
    settings = settings_of(recipe, kind, seed)
    return train_classifier(*splits["train"], **settings, validation_data=splits["test"], **options)


def settings_of(recipe, kind, seed):
    """How `train_classifier` trains one."""
    is_evaluator = kind == "evaluator"
    return {
        "architecture": "evaluator" if is_evaluator else "paper",
        "epochs": recipe.classifier_epochs,
        "batch_size": 200 if is_evaluator else 100,
        "shift": max(int(is_evaluator), recipe.classifier_shift),
        "flip": recipe.classifier_flip,
        # With one seed, both classifiers would be trained on the same batches.
        "seed": seed + 1000 * is_evaluator,
    }
