"""How long the devices of one training wait for each other: measured on 8 simulated devices of JAX,
and calculated for GPUs.

    KERAS_BACKEND=jax JAX_NUM_CPU_DEVICES=8 PYTHONPATH=. python scripts/benchmarks/collectives.py

Measured: the time of a training step of a pro-VLAE (Shapes3D, 64x64) and of a progressive GAN
(32x32, last stage) on all devices, and of an all-reduce of tensors with the shapes of their
gradients alone. Simulated devices share the cores and the memory of one machine, so only the share
is of interest; run it on an idle machine.

Calculated: for a ring of N GPUs, an update of S bytes of gradients takes 2 (N - 1) / N S / B +
2 (N - 1) L seconds, with bandwidth B and latency L of the links. Compared with the time of a step's
own computations, from the operations that XLA counts, this gives the efficiency if nothing
overlaps, at a fixed batch for each GPU, and the largest N at which it is above 80%.
"""

import time

import jax
import keras
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from keras_disentangle.applications._shared import registry
from keras_disentangle.callbacks._backup_state import jax_train_state
from keras_disentangle.trainers import PhasedModel

# Bytes a second in each direction, and seconds, between neighbours.
LINKS = {
    "NVLink 4 (450 GB/s, 3 us)": (450e9, 3e-6),
    "PCIe 5 x16 (50 GB/s, 5 us)": (50e9, 5e-6),
    "InfiniBand NDR (50 GB/s, 10 us)": (50e9, 10e-6),
    "10 Gb Ethernet (1.25 GB/s, 30 us)": (1.25e9, 30e-6),
}
SPEED = 20e12  # operations a second that such small networks reach, assumed
LEAST = 1e-3  # seconds of a step: what starting its many small operations takes, assumed
STEPS = 8

# Recipe, and images of a step on each device when measured and on each GPU when calculated.
MODELS = {
    "provlae": ("shapes3d", 2, 100),
    "progressive_gan": ("scratch", 2, 16),
    "progressive_gan paper": ("paper_scratch", None, 16),
}


def built(name, recipe):
    application = registry.find(name.split()[0])
    model = application.build(application.recipes[recipe], application.variants[0], 0)
    adam = keras.optimizers.Adam
    if isinstance(model, PhasedModel):
        model.compile(**{f"{phase.slot}_optimizer": adam() for phase in model.phases()})
    else:
        model.compile(adam())
        model.optimizer.build(model.trainable_variables)
    return model


def stepped(model, batch):
    """A jitted step, its state, and data for it."""
    images = np.random.default_rng(0).random((batch, *model.image_shape), "float32")
    return jax.jit(model.train_step), jax_train_state(model), ((images,),)


def operations(model, batch):
    """What XLA counts in one step on one device."""
    step, state, data = stepped(model, batch)
    return step.lower(state, *data).cost_analysis()["flops"]


def seconds(function, *arguments):
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def measured(model, batch):
    """Seconds of a step on all devices, and of its all-reduces alone."""
    devices = jax.device_count()
    step, state, ((images,),) = stepped(model, batch * devices)
    mesh = Mesh(np.array(jax.devices()), ("batch",))
    split = NamedSharding(mesh, PartitionSpec("batch"))
    state = jax.device_put(state, NamedSharding(mesh, PartitionSpec()))
    whole = seconds(step, state, (jax.device_put(images, split),))
    gradients = [
        jax.device_put(np.zeros((devices, *v.shape), "float32"), split)
        for v in model.trainable_variables
    ]
    summed = jax.jit(
        lambda tensors: [x.sum(0) for x in tensors],
        out_shardings=NamedSharding(mesh, PartitionSpec()),
    )
    return whole, seconds(summed, gradients)


def largest(size, updates, own, bandwidth, latency):
    """The largest number of GPUs with at least 80% efficiency, of at most 4096."""
    found = 1
    for n in range(2, 4097):
        waiting = updates * 2 * (n - 1) * latency + 2 * (n - 1) / n * size / bandwidth
        if own / (own + waiting) < 0.8:
            return found
        found = n
    return found


def main():
    print(f"{jax.device_count()} devices of {jax.devices()[0].device_kind}")
    for name, (recipe, on_device, on_gpu) in MODELS.items():
        model = built(name, recipe)
        size = 4 * sum(int(np.prod(v.shape)) for v in model.trainable_variables)
        updates = len(model.moves) if isinstance(model, PhasedModel) else 1
        count = operations(model, on_gpu)
        own = max(LEAST, count / SPEED)
        print(f"\n{name}: {size / 1e6:.1f} MB of gradients, {updates} updates in a step")
        print(
            f"  {count / 1e9:.1f} GFLOP a step of {on_gpu} images: {1e3 * own:.1f} ms, calculated"
        )
        for link, (bandwidth, latency) in LINKS.items():
            n = largest(size, updates, own, bandwidth, latency)
            print(f"  {link:34} above 80% up to {n} GPUs, calculated")
        if on_device is not None:
            whole, alone = measured(model, on_device)
            share = 100 * alone / whole
            print(
                f"  measured: {1e3 * whole:.0f} ms a step, {1e3 * alone:.1f} ms of all-reduces "
                f"alone: {share:.1f}%"
            )


if __name__ == "__main__":
    main()
