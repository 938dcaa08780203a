"""Whether samples of a conditional GAN and a conditional beta-VAE show the wanted digits.

    KERAS_DISENTANGLE_DATA=data python scripts/benchmarks/conditional_mnist.py
    python scripts/benchmarks/conditional_mnist.py --models gan --steps 300 --samples 100

Trains both on MNIST's training images, 28 × 28, for a few minutes each on two cores. The GAN has a
projection discriminator and, with `auxiliary_gan`, an auxiliary classifier in its place.
A convolutional classifier, trained on the same real images with a seed of its own, then classifies
samples of each digit: with `labels` given, it should find these labels.

Prints the classifier's accuracy on the test images, and for each model the steps, the wall time of
the training, and the accuracy on its samples, of all digits and of the worst. Writes into --out
`<model>.png`, a row of samples for each digit, and `<model>.keras`. The exit status is 1 if an
accuracy on samples is below --least, otherwise 0. KERAS_BACKEND chooses the backend.
"""

import argparse
import os
import pathlib
import sys
import time

import keras
import numpy as np
from keras import layers, ops

import keras_disentangle as kd

CLASSES, NOISE, LATENTS = 10, 64, 10
SHAPE = (28, 28, 1)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["gan", "vae"])
    parser.add_argument("--steps", type=int, help="of each training", default=8000)
    parser.add_argument("--classifier-steps", type=int, default=1500)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--samples", type=int, help="that are classified", default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--least", help="accuracy wished for", type=float, default=0.9)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("conditional_mnist"))
    settings = parser.parse_args()
    settings.out.mkdir(parents=True, exist_ok=True)

    folder = os.environ.get("KERAS_DISENTANGLE_DATA", "data")
    images, labels = kd.datasets.load_images("mnist", data_dir=folder)
    test = kd.datasets.load_images("mnist", "test", data_dir=folder)
    steps, size = settings.classifier_steps, settings.batch_size
    classifier = train_classifier(images, labels, steps, size, seed=settings.seed + 1000)
    print(f"classifier: {accuracy(classifier, test[0] / 255.0, test[1]):.4f} on test images")

    least = 1.0
    for name in settings.models:
        keras.utils.set_random_seed(settings.seed)
        model = MODELS[name](settings.seed)
        batches = kd.datasets.image_batches(
            images, size, settings.seed, steps_per_epoch=settings.steps, labels=labels
        )
        start = time.perf_counter()
        model.fit(batches, verbose=2)
        seconds = time.perf_counter() - start
        model.save(settings.out / f"{name}.keras")
        rows = model.sample(CLASSES * CLASSES, seed=1, labels=np.repeat(range(CLASSES), CLASSES))
        digits = [str(digit) for digit in range(CLASSES)]
        picture = kd.visualization.image_grid(rows, columns=CLASSES, row_labels=digits, title=name)
        kd.visualization.save_png(settings.out / f"{name}.png", picture)
        wanted = np.arange(settings.samples) % CLASSES
        samples = model.sample(settings.samples, seed=2, labels=wanted)
        right = predicted(classifier, samples) == wanted
        worst = min(right[wanted == digit].mean() for digit in range(CLASSES))
        least = min(least, right.mean())
        print(
            f"{name}: {settings.steps} steps of {size} in {seconds:.0f} s; the classifier agrees "
            f"on {right.mean():.4f} of {settings.samples} samples, {worst:.4f} of the worst digit",
            flush=True,
        )
    sys.exit(int(least < settings.least))


def conditional_gan(seed, auxiliary=False):
    """A DCGAN of half the usual width; its generator reads the class beside the noise."""
    z, y = keras.Input((NOISE,)), keras.Input((CLASSES,))
    h = layers.Concatenate()([z, y])
    h = layers.Dense(7 * 7 * 64, use_bias=False)(h)
    h = layers.ReLU()(layers.BatchNormalization()(h))
    h = layers.Reshape((7, 7, 64))(h)
    h = kd.layers.UpConv2D(32, 4, strides=2, use_bias=False)(h)
    h = layers.ReLU()(layers.BatchNormalization()(h))
    h = kd.layers.UpConv2D(1, 4, strides=2, activation="sigmoid")(h)
    generator = keras.Model([z, y], h)

    x, y = keras.Input(SHAPE), keras.Input((CLASSES,))
    h = layers.Conv2D(32, 4, strides=2, padding="same")(x)
    h = layers.LeakyReLU(0.1)(h)
    h = layers.Conv2D(64, 4, strides=2, padding="same")(h)
    h = layers.LeakyReLU(0.1)(h)
    h = layers.Dense(128)(layers.Flatten()(h))
    features = layers.LeakyReLU(0.1)(h)
    if auxiliary:
        discriminator = keras.Model(x, [layers.Dense(1)(features), features])
    else:
        discriminator = keras.Model([x, y], kd.layers.ProjectionHead(CLASSES)(features, y))
    model = kd.models.GAN(
        generator,
        discriminator,
        labels=CLASSES,
        auxiliary_head=layers.Dense(CLASSES) if auxiliary else None,
        ema_decay=0.999,
        seed=seed,
    )
    model.compile(
        generator_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    )
    return model


def conditional_vae(seed):
    """A beta-VAE of ten latents, whose encoder and decoder read the class."""
    x, y = keras.Input(SHAPE), keras.Input((CLASSES,))
    h = layers.Conv2D(32, 4, strides=2, padding="same", activation="relu")(x)
    h = layers.Conv2D(64, 4, strides=2, padding="same", activation="relu")(h)
    h = layers.Concatenate()([layers.Flatten()(h), y])
    h = layers.Dense(128, "relu")(h)
    encoder = keras.Model([x, y], layers.Dense(2 * LATENTS)(h))

    z, y = keras.Input((LATENTS,)), keras.Input((CLASSES,))
    h = layers.Dense(128, "relu")(layers.Concatenate()([z, y]))
    h = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, "relu")(h))
    h = kd.layers.UpConv2D(32, 4, strides=2, activation="relu")(h)
    decoder = keras.Model([z, y], kd.layers.UpConv2D(1, 4, strides=2)(h))
    model = kd.models.VAE(encoder, decoder, beta=2.0, labels=CLASSES, seed=seed)
    model.compile(keras.optimizers.Adam(1e-3))
    return model


MODELS = {
    "gan": conditional_gan,
    "auxiliary_gan": lambda seed: conditional_gan(seed, auxiliary=True),
    "vae": conditional_vae,
}


def train_classifier(images, labels, steps, batch_size, seed):
    """A convolutional classifier of real images."""
    keras.utils.set_random_seed(seed)
    classifier = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(64, "relu"),
            layers.Dense(CLASSES),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(1e-3), loss)
    batches = kd.datasets.image_batches(images, batch_size, seed, steps, labels=labels)
    classifier.fit(batches, verbose=2)
    return classifier


def predicted(classifier, images):
    return np.argmax(classifier.predict(ops.convert_to_numpy(images), 500, verbose=0), axis=-1)


def accuracy(classifier, images, labels):
    return (predicted(classifier, images) == labels).mean()


if __name__ == "__main__":
    main()
