"""How well FactorVAE's discriminator estimates a total correlation that is known.

    python scripts/benchmarks/total_correlation_estimate.py
    python scripts/benchmarks/total_correlation_estimate.py --correlation 0.3 --steps 5000
    python scripts/benchmarks/total_correlation_estimate.py --steps 5000 --decay

Codes are drawn from a normal distribution with the same correlation between each two of their
dimensions, whose total correlation is a closed form, -log det(correlations) / 2. Only the
discriminator is trained, by default that of the paper with the paper's Adam, on fresh codes in each
step. Prints the known value and, every few hundred steps, the estimate on 20,000 fresh codes, their
ratio and the discriminator's accuracy; at the end, the mean and the standard deviation of the ratio
over the second half of the training. At a constant learning rate the estimate keeps moving.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

import keras_disentangle as kd


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--dimensions", type=int, default=5, help="of the codes (default: %(default)s)")
    add("--correlation", type=float, default=0.5, help="of each two (default: %(default)s)")
    add("--batch-size", type=int, default=256, help="codes of a step (default: %(default)s)")
    add("--steps", type=int, default=2000, help="of training (default: %(default)s)")
    add("--every", type=int, default=250, help="steps between estimates (default: %(default)s)")
    add("--learning-rate", type=float, default=1e-4, help="of Adam (default: %(default)s)")
    add("--beta-2", type=float, default=0.9, help="of Adam (default: %(default)s)")
    add("--decay", action="store_true", help="lower the learning rate to 0, by a cosine")
    add("--seed", type=int, default=0, help="of weights and draws (default: %(default)s)")
    options = parser.parse_args()

    d = options.dimensions
    covariance = np.full((d, d), options.correlation) + (1 - options.correlation) * np.eye(d)
    known = -0.5 * np.linalg.slogdet(covariance)[1]
    print(f"{keras.backend.backend()}: {d} dimensions, total correlation {known:.4f} nats")

    keras.utils.set_random_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    model = of_its_images(d, options)

    def codes(n):
        draws = rng.multivariate_normal(np.zeros(d), covariance, size=n, method="cholesky")
        return draws.astype("float32").reshape(n, 1, 1, d)

    ratios = []
    for done in range(options.every, options.steps + 1, options.every):
        model.fit(
            codes(options.every * options.batch_size), batch_size=options.batch_size, verbose=0
        )
        found = model.evaluate(codes(20_000), batch_size=1000, return_dict=True, verbose=0)
        estimate = found["total_correlation"]
        ratios.append(estimate / known)
        print(
            f"step {done}: estimate {estimate:.4f}, ratio {estimate / known:.3f}, "
            f"accuracy {found['discriminator_accuracy']:.3f}",
            flush=True,
        )
    late = ratios[len(ratios) // 2 :]
    print(f"second half: ratio {np.mean(late):.3f}, standard deviation {np.std(late):.3f}")


def of_its_images(d, options):
    """A `FactorVAE` whose codes are its images; encoder and decoder stay as they are."""
    encoder = keras.Sequential(
        [keras.Input((1, 1, d)), layers.Flatten(), layers.Dense(2 * d, name="posterior")]
    )
    # Of the log variances, -40 leaves no noise.
    encoder.set_weights([np.eye(d, 2 * d), np.repeat([0.0, -40.0], d)])
    decoder = keras.Sequential([keras.Input((d,)), layers.Reshape((1, 1, d)), layers.Dense(d)])
    model = kd.models.FactorVAE(encoder, decoder, observation="gaussian", seed=options.seed)
    rate = options.learning_rate
    if options.decay:
        rate = keras.optimizers.schedules.CosineDecay(rate, options.steps)
    model.compile(
        vae_optimizer=keras.optimizers.SGD(0.0),
        discriminator_optimizer=keras.optimizers.Adam(rate, beta_1=0.5, beta_2=options.beta_2),
    )
    return model


if __name__ == "__main__":
    main()
