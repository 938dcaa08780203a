"""Whether two replicas of TensorFlow, with threads of its own choice, always compute the same.

    KERAS_BACKEND=tensorflow PYTHONPATH=.:tests python scripts/benchmarks/replica_races.py [MINUTES]

Trains one WGAN-GP for ten steps by `fit` again and again from the same state, and compares all logs
and weights, bit for bit, with those of the first run. Prints how many runs differed and by how
much; a race would show. Other load on the machine, with more processes than cores, is of help.
"""

import sys
import time

import numpy as np
import tensorflow as tf
from tiny_networks import IMAGES, make_space, player_networks
from tiny_training import StepLogs, adams, assign_by_hand, fit, numbers

from keras_disentangle.models import GAN


def built():
    settings = {"objective": "wasserstein", "gradient_penalty": "wgan_gp"}
    settings.update(discriminator_steps=2, ema_decay=0.75, space=make_space(), seed=1)
    model = GAN(**player_networks(make_space().dim), **settings)
    assign_by_hand(model)
    model.compile(**adams(model, 1e-3))
    return model


def main(minutes):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    end, first, runs, differing = time.time() + 60 * minutes, None, 0, []
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = built()
        variables = [*model.variables, *model.optimizer.variables]
        start = numbers(variables)
        while time.time() < end:
            for variable, value in zip(variables, start, strict=True):
                variable.assign(value)
            logs = StepLogs()
            fit(model, IMAGES, epochs=10, compile_with=False, callbacks=[logs])
            found = [logs.column(name) for name in sorted(logs.steps[0])] + numbers(variables)
            first = found if first is None else first
            runs += 1
            for i, (a, b) in enumerate(zip(first, found, strict=True)):
                if not np.array_equal(a, b):
                    differing.append((runs, i, float(np.max(np.abs(a - b)))))
    names = sorted(logs.steps[0])
    print(
        f"{runs} runs of ten steps; {len({run for run, *_ in differing})} differed from the first"
    )
    for run, i, size in differing[:20]:
        print(f"  run {run}: {names[i] if i < len(names) else 'a variable'} by {size:.1e}")


if __name__ == "__main__":
    main(float((sys.argv[1:] or ["5"])[0]))
