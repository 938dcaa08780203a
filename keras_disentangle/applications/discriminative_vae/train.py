"""Trains a VAE with discriminative regularisation, the same without, or a classifier for it.

    python scripts/train.py discriminative_vae --recipe fashion_mnist --data-dir DATA

One CPU core, TensorFlow: the classifier takes 7 minutes, the VAE's 4,400 steps 5.4 (2.3 without the
added terms). With them an independent classifier has 84.6% of the reconstructed test images right,
without 77.4% (80.6% at a KL weight of 1); the Fréchet distance of samples is 4.1 against 5.5 (5.4).
The card in this folder has all the figures.
"""

import argparse
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import keras

import keras_disentangle as kd
from keras_disentangle._arguments import check_choice, check_int
from keras_disentangle.applications import _own_data, _runs, _weights
from keras_disentangle.applications.discriminative_vae import _trained, traverse
from keras_disentangle.applications.discriminative_vae.classifier import train_classifier
from keras_disentangle.applications.discriminative_vae.discriminative_vae import (
    FEATURES,
    DiscriminativeVAE,
)
from keras_disentangle.applications.discriminative_vae.networks import NETWORKS, average_pooled
from keras_disentangle.schedules import read

MODELS = ("discriminative_vae", "vae", "classifier", "judge")
OWN = "classifier.keras"  # in the folder of a training that began with its own


@dataclass(frozen=True)
class Recipe:
    """One training: the data, the networks, the features, and how long.

    `classifier` is `"own"`, the paper's, which is trained on the data's labels, or the name of an
    architecture of `keras.applications`, whose `layers` are then looked at. The weight of each
    layer's term goes from 0 to `feature_weight` within `ramp_steps` training steps. With the
    `pooling` "average" the architecture's own, by maxima, is replaced. With `decay` the learning
    rate falls to 0 along a cosine.
    """

    data: str
    image_shape: tuple
    networks: str
    latent_dim: int
    classifier: str = "own"
    layers: tuple = FEATURES
    feature_weight: float = 1.0
    ramp_steps: int = 0
    scale: str = "full"
    calibrate: bool = False
    pooling: str = "max"
    encoder_gradient: bool = True
    beta: float = 1.0
    pixel_scale: str = "full"
    batch_size: int = 100
    epochs: int = 75
    learning_rate: float = 1e-3
    decay: bool = False
    classifier_epochs: int = 10
    classifier_shift: int = 0
    classifier_flip: bool = False


# The paper says VGG-19, not which of its layers. The release's is the normalised one of Gatys et
# al., with average pooling; the published weights give features in the hundreds, so that scales are
# calibrated instead.
_VGG_19 = {
    "classifier": "VGG19",
    "layers": ("block1_conv2", "block2_conv2", "block3_conv4"),
    "calibrate": True,
    "pooling": "average",
}

RECIPES = {
    # The paper's. It gives no learning rate; the release's is the default of Blocks' Adam.
    "celeb_a": Recipe("celeb_a", (64, 64, 3), "celeba", 500, learning_rate=2e-3),
    "svhn": Recipe("svhn", (32, 32, 3), "celeba", 500, learning_rate=2e-3, **_VGG_19),
    "cifar10": Recipe("cifar10", (32, 32, 3), "celeba", 500, learning_rate=2e-3, **_VGG_19),
    # Minutes to an hour on a CPU. With the paper's weights, 1, the codes tell far more of an image
    # than the prior's samples have: reconstructions are better still, samples worse.
    "fashion_mnist": Recipe(
        "fashion_mnist",
        (28, 28, 1),
        "small",
        32,
        feature_weight=0.05,
        beta=3.0,
        epochs=8,
        learning_rate=2e-3,
        decay=True,
        classifier_epochs=8,
    ),
    "cifar10_small": Recipe(
        "cifar10",
        (32, 32, 3),
        "small",
        128,
        classifier="VGG16",
        layers=("block1_conv2", "block2_conv2"),
        feature_weight=0.1,
        calibrate=True,
        beta=3.0,
        epochs=6,
        learning_rate=2e-3,
        decay=True,
        classifier_epochs=16,
        classifier_shift=4,
        classifier_flip=True,
    ),
}


def train(
    recipe,
    model="discriminative_vae",
    log_dir="runs/discriminative_vae",
    data_dir=None,
    classifier=None,
    judge=None,
    seed=0,
    verbose="auto",
):
    """Trains one model by a `Recipe` and writes everything of it into `log_dir`.

    That is `model.keras`, `results.json` (settings, curves, scores, seconds), of a VAE also
    `pictures/` and TensorBoard logs. The training of a VAE that was interrupted goes on where it
    stopped, bit for bit, if it is started again with the same settings; what a finished one left
    there goes.

    Args:
        recipe: the `Recipe`.
        model: `"discriminative_vae"`; `"vae"`, the same without the added terms; `"classifier"`,
            the paper's; or `"judge"`, another one that measures.
        log_dir: where everything goes.
        data_dir: where data sets lie, as in `load_images`.
        classifier: for an own classifier, the `.keras` file of one, or `None` to train it first;
            for an architecture of `keras.applications`, a file of weights or "imagenet".
        judge: the `.keras` file of a classifier with a layer `features` that measures the model, or
            `None` for that which ships; without one there are no scores.
        seed: of weights, noise and data order.
        verbose: as in `keras.Model.fit`.

    Returns:
        (model, results): the trained model and what went into `results.json`.

    Raises:
        ValueError: if the model, the data, the classifier or a setting is unknown or out of range,
            or `log_dir` holds an unfinished training with other settings.
    """
    if model not in MODELS:
        raise ValueError(f"`model` must be one of {MODELS}. Received: model={model!r}")
    check_int("epochs", recipe.epochs)
    check_choice("pooling", recipe.pooling, ("max", "average"))
    is_vae, needs_features = model in MODELS[:2], model == "discriminative_vae"
    if needs_features and recipe.classifier != "own" and classifier is None:
        raise ValueError(
            f"`classifier` must be a file of weights for {recipe.classifier}, or "
            '"imagenet", which Keras downloads. Received: classifier=None'
        )
    # What is wrong is to show before anything is removed or trained.
    splits = _trained.load_splits(recipe.data, data_dir, recipe.image_shape)
    if is_vae:
        build_model(recipe, seed=seed)
        judge = _judge(recipe, judge)
    network = _given(recipe, classifier) if needs_features and classifier is not None else None
    log_dir = Path(log_dir)
    settings = {
        "model": model,
        "settings": asdict(recipe),
        "classifier": None if classifier is None else str(classifier),
        "judge": None if judge is None else _trained.checksum(judge),
        "seed": seed,
        "backend": keras.backend.backend(),
    }
    if not _runs.goes_on(log_dir, settings):
        _runs.check_finished(log_dir)
        _runs.clear(log_dir, "backup")
        (log_dir / OWN).unlink(missing_ok=True)
        _runs.write_json(log_dir / _runs.RUN, settings)
    if not is_vae:
        return _train_classifier(recipe, model, log_dir, splits, settings, verbose)

    images, _ = splits["train"]
    if needs_features and network is None:
        network = _own(recipe, log_dir / OWN, splits, seed, verbose)
    feature_loss = build_loss(recipe, network, images) if needs_features else None
    trained = build_model(recipe, feature_loss, seed)
    batches = kd.datasets.image_batches(images, recipe.batch_size, seed)
    rate = recipe.learning_rate
    if recipe.decay:
        rate = keras.optimizers.schedules.CosineDecay(rate, recipe.epochs * len(batches))
    trained.compile(keras.optimizers.Adam(rate))
    clock = _runs.Clock()
    callbacks = []
    if feature_loss is not None and recipe.ramp_steps:
        callbacks += [
            kd.callbacks.RampWeight(
                f"feature_weight_{name}", recipe.feature_weight, recipe.ramp_steps, 0.0
            )
            for name in feature_loss.layer_names
        ]
    callbacks += [
        kd.callbacks.LatentTraversal(
            log_dir, every=max(1, recipe.epochs // 4), images=splits["test"][0][:16]
        ),
        kd.callbacks.TensorBoardScalars(log_dir),
        # Behind those that draw: a training is not over before its pictures are there.
        kd.callbacks.ExactBackup(log_dir / "backup"),
        clock,
    ]
    history = trained.fit(
        batches, epochs=recipe.epochs, verbose=verbose, callbacks=callbacks
    ).history
    trained.reestimate_batch_normalization(seed=seed)
    results = {
        **settings,
        "steps": read(trained.step),
        "seconds": round(clock.seconds, 1),
        "timed_steps": clock.steps,
        "history": history,
    }
    # First of all the model: what follows may fail or be interrupted.
    _runs.save_model(trained, log_dir / "model.keras")
    traverse.draw({model: trained}, splits["test"][0], log_dir / "pictures", seed=seed)
    if judge is not None:
        results["scores"] = _trained.scores(trained, splits, judge)
    _runs.write_json(log_dir / "results.json", results)
    return trained, results


def build_loss(recipe, network, images):
    """The `FeatureMatchingLoss` of a recipe.

    Args:
        network: a trained classifier, or a `FeatureNetwork`.
        images: uint8 images of the training, by which the scales start if the recipe says so.

    Raises:
        ValueError: as `FeatureMatchingLoss`.
    """
    loss = kd.losses.FeatureMatchingLoss(
        network,
        recipe.layers,
        layer_weights=[recipe.feature_weight] * len(recipe.layers),
        scale=recipe.scale,
    )
    if recipe.calibrate:
        loss.calibrate(images[:1000] / 255)
    return loss


def build_model(recipe, feature_loss=None, seed=0):
    """The uncompiled model of a recipe: a `VAE` if there is no `feature_loss`.

    Raises:
        ValueError: if a setting is out of range.
    """
    keras.utils.set_random_seed(seed)
    shape = tuple(recipe.image_shape)
    if feature_loss is not None:
        return DiscriminativeVAE(
            feature_loss=feature_loss,
            image_shape=shape,
            latent_dim=recipe.latent_dim,
            networks=recipe.networks,
            pixel_scale=recipe.pixel_scale,
            beta=recipe.beta,
            encoder_gradient=recipe.encoder_gradient,
            seed=seed,
        )
    return kd.models.VAE(
        **NETWORKS[recipe.networks](shape, recipe.latent_dim),
        beta=recipe.beta,
        observation="gaussian",
        pixel_scale=recipe.pixel_scale,
        min_log_std=-4.0,
        seed=seed,
        name="vae",
    )


def _judge(recipe, path):
    """The classifier that measures, or `None`: that which is given, or ships for such images."""
    shipped = _trained.shipped_judge(recipe.data)
    if path is not None:
        return _trained.load_judge(path, recipe.data, recipe.image_shape)
    if not shipped.is_file():
        return None
    judge = _runs.load_model(_weights.verified(shipped), "judge")
    return judge if judge.input_shape[1:] == recipe.image_shape else None


def _given(recipe, classifier):
    """The network whose features regularise, of a file."""
    if recipe.classifier != "own":
        network = kd.layers.FeatureNetwork.from_applications(
            recipe.classifier, recipe.layers, classifier
        )
        return average_pooled(network) if recipe.pooling == "average" else network
    network = _runs.load_model(classifier, "classifier")
    network.trainable = False
    return network


def _own(recipe, path, splits, seed, verbose):
    """The same, trained here; of a training that goes on, as it was trained before."""
    if not path.is_file():
        _runs.save_model(train_own(recipe, "classifier", splits, seed, verbose), path)
    return _given(recipe, path)


def train_own(recipe, kind, splits, seed, verbose="auto"):
    """A classifier of a recipe's data, "classifier" or "judge", with its accuracy on the test part
    as it is trained.

    Raises:
        ValueError: if the data has no labels.
    """
    if splits["train"][1] is None:
        raise ValueError(f"`data` must have labels for a classifier. Received: {recipe.data}")
    return train_classifier(
        *splits["train"],
        architecture="paper" if kind == "classifier" else "judge",
        epochs=recipe.classifier_epochs,
        batch_size=100 if kind == "classifier" else 200,
        shift=recipe.classifier_shift if kind == "classifier" else max(1, recipe.classifier_shift),
        flip=recipe.classifier_flip,
        # Of two classifiers with one seed, the batches would be the same.
        seed=seed if kind == "classifier" else seed + 1000,
        validation_data=splits["test"],
        verbose=verbose,
    )


def _train_classifier(recipe, kind, log_dir, splits, settings, verbose):
    network = train_own(recipe, kind, splits, settings["seed"], verbose)
    history = network.history.history
    results = {**settings, "history": history, "accuracy": history["val_accuracy"][-1]}
    _runs.save_model(network, log_dir / "model.keras")
    _runs.write_json(log_dir / "results.json", results)
    return network, results


def main(arguments=None):
    """Command line of `scripts/train.py discriminative_vae`."""
    parser = argparse.ArgumentParser(
        prog="train.py discriminative_vae",
        description="Trains a VAE with discriminative regularisation, the same without, or a "
        "classifier, by a recipe. Started again with the same options, an interrupted training of "
        "a VAE goes on.",
        epilog="Example: train.py discriminative_vae --recipe fashion_mnist --data-dir ~/data",
    )
    add = parser.add_argument
    add("--recipe", choices=sorted(RECIPES), help="settings, and images' shape (fashion_mnist)")
    add("--model", choices=MODELS, default=MODELS[0], help=f"what to train ({MODELS[0]})")
    add("--data-dir", help="where downloaded data sets lie")
    add(
        "--classifier",
        help="a trained classifier (.keras), or weights of the recipe's VGG; without it, recipes "
        "with an own classifier train it first",
    )
    add("--judge", help="a classifier (.keras) that measures; by default that which ships")
    add("--log-dir", default="runs/discriminative_vae", help="where everything goes")
    add("--seed", type=int, default=0, help="of weights, noise and data order (0)")
    add("--verbose", type=int, default=None, help="2 prints a line an epoch instead of a bar")
    own = parser.add_argument_group("settings in place of the recipe's")
    for flag, kind, text in (
        ("--data", str, "a data set's name, or a folder, zip or .npz of images"),
        ("--epochs", int, "passes over the images"),
        ("--latent-dim", int, "number of latents"),
        ("--feature-weight", float, "weight of each feature layer's term"),
        ("--ramp-steps", int, "training steps from 0 to --feature-weight"),
        ("--beta", float, "weight of the KL term"),
        ("--pooling", str, "max or average, of an architecture of keras.applications"),
        ("--scale", str, "log sigma of the features: full, channel or fixed"),
        ("--pixel-scale", str, "log sigma of the pixels: full, channel or scalar"),
        ("--learning-rate", float, "of Adam"),
        ("--classifier-epochs", int, "passes over the images for a classifier"),
    ):
        own.add_argument(flag, type=kind, help=text, default=argparse.SUPPRESS)
    own.add_argument(
        "--detached-encoder",
        dest="encoder_gradient",
        action="store_false",
        help="keep the gradient of the added terms out of the encoder",
        default=argparse.SUPPRESS,
    )
    options = vars(parser.parse_args(arguments))

    known = {field.name for field in fields(Recipe)}
    given = {name: value for name, value in options.items() if name in known - {"classifier"}}
    recipe = replace(RECIPES[options["recipe"] or "fashion_mnist"], **given)
    if "data" in given:
        _own_data.check_shape_is_said(
            recipe.data,
            recipe.image_shape,
            options["data_dir"],
            "recipe",
            options["recipe"] is not None,
            {name: known.image_shape for name, known in RECIPES.items()},
        )
    log_dir = Path(options["log_dir"])
    _, results = train(
        recipe,
        options["model"],
        log_dir,
        options["data_dir"],
        options["classifier"],
        options["judge"],
        options["seed"],
        "auto" if options["verbose"] is None else options["verbose"],
    )
    if "accuracy" in results:
        print(f"\naccuracy on the test part  {100 * results['accuracy']:.2f}%\n")
    else:
        print(f"\n{results['steps']} steps ({results['backend']}), {results['seconds']:.0f} s for ")
        print(f"{results['timed_steps']} of them. At the end, in nats an image:")
        for name, values in sorted(results["history"].items()):
            print(f"  {name:28} {values[-1]:.4g}")
    if "scores" in results:
        print("\n" + _trained.table({results["model"]: results["scores"]}) + "\n")
    for what, where in (
        ("pictures", "pictures"),
        ("scores", "results.json"),
        ("model", "model.keras"),
    ):
        if (log_dir / where).exists():
            print(f"{what:10} {log_dir / where}")
    if "accuracy" not in results:
        print(f"TensorBoard: tensorboard --logdir {log_dir}")
