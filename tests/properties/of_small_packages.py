"""Schedules, latents and trainers."""

import keras
import numpy as np
from hypothesis import strategies as st
from properties._cases import LAYOUTS, Case, arrays, maybe, optional_seeds, seeds

from keras_disentangle import latents, schedules, trainers

CODES = {
    "Normal": (latents.Normal, {"size": st.integers(1, 3)}),
    "Uniform": (
        latents.Uniform,
        {
            "size": st.integers(1, 3),
            "low": maybe(st.sampled_from((-1, 0.0))),
            "high": maybe(st.sampled_from((1, 2.5))),
        },
    ),
    "Categorical": (latents.Categorical, {"num_categories": st.integers(2, 4)}),
    "Quantized": (
        latents.Quantized,
        {
            "size": st.integers(1, 3),
            "num_values": maybe(st.integers(2, 4)),
            "low": maybe(st.sampled_from((-1, 0.0))),
            "high": maybe(st.sampled_from((1, 2.5))),
        },
    ),
}
common = {
    "informative": maybe(st.booleans()),
    "name": maybe(st.sampled_from((None, "a", "code_1"))),
}


def sampled(make):
    def call(n, seed, **settings):
        code = make(**settings)
        again = type(code)(**code.get_config())
        assert again.dim == code.dim
        return code.sample(n, seed=seed)

    return call


def traversed(make):
    def call(steps, extent, dim, **settings):
        code = make(**settings)
        values = code.traversal(steps, extent)
        assert len(code.traverse(np.zeros(code.dim), dim, steps, extent)) == len(values)
        return values

    return call


def space():
    return latents.LatentSpace(
        [latents.Normal(2), latents.Categorical(3), latents.Uniform(1, posterior_std=1.0)]
    )


def labelled(num_classes, labels, n, num_attributes=None):
    made = latents.Labels(num_classes, num_attributes)
    assert repr(latents.Labels(**made.get_config())) == repr(made)
    return made.check("labels", labels, n)


class Objects:
    """A space, to call methods of."""

    space = space()


def ramp(step, new, **settings):
    made = schedules.Ramp(**settings)
    value = made(step)
    if new is not None:
        made.set(*new)
        value = made(step)
    return value


def group(slots, **settings):
    made = trainers.OptimizerGroup(slots, **settings)
    variables = {name: [keras.Variable(np.ones(2))] for name in slots}
    made.build_slots(variables)
    return made.get_config() and [made.learning_rate]


INPUTS = tuple(name for name in LAYOUTS if name != "list")
codes = arrays((4, 6), (1, 6), low=0.1, high=0.9, layouts=INPUTS)
q_params = arrays((4, 4), layouts=INPUTS)

PACKAGES = ("schedules", "latents", "trainers")

TABLE = {
    "Ramp": Case(
        ramp,
        {
            "start": maybe(st.sampled_from((0, 0.5, np.float32(1)))),
            "target": maybe(st.sampled_from((None, 0, 2.0))),
            "first_step": maybe(st.sampled_from((0, 5))),
            "num_steps": maybe(st.sampled_from((0, 10, np.int64(4)))),
            "step": st.sampled_from((0, 3, np.int64(7))),
            "new": st.sampled_from((None, (0, 1.0, 2, 3))),
        },
        lambda a: (),
        fixed=("new",),
        nan=True,
    ),
    "read": Case(
        schedules.read,
        {"variable": st.sampled_from((0.0, 1.5)).map(keras.Variable)},
        nan=True,
    ),
    **{
        name: Case(
            sampled(make),
            {
                **settings,
                **common,
                "n": st.integers(1, 5),
                "seed": optional_seeds,
            },
        )
        for name, (make, settings) in CODES.items()
    },
    **{
        f"{name}.traversal": Case(
            traversed(make),
            {
                **settings,
                "steps": st.integers(2, 5),
                "extent": st.sampled_from((0.5, 1, 2.0)),
                "dim": st.just(0),
            },
        )
        for name, (make, settings) in CODES.items()
    },
    "Labels": Case(
        labelled,
        {
            "num_classes": st.just(3),
            "num_attributes": maybe(st.none()),
            "labels": st.sampled_from((0, [1, 2], np.array([[2], [0]]), np.eye(3)[:2])),
            "n": st.just(2),
        },
        lambda a: (2,),
    ),
    "Labels.sample": Case(
        lambda num_classes, n, seed: latents.Labels(num_classes).sample(n, seed),
        {"num_classes": st.integers(2, 5), "n": st.integers(1, 3), "seed": optional_seeds},
        lambda a: (a["n"],),
    ),
    "LatentSpace": Case(
        lambda codes, n, seed: latents.LatentSpace(codes).sample(n, seed=seed),
        {
            "codes": st.sampled_from(((2, None), (1, 3))).map(
                lambda sizes: [
                    latents.Normal(sizes[0]),
                    *([latents.Categorical(sizes[1])] if sizes[1] else []),
                ]
            ),
            "n": st.integers(1, 4),
            "seed": optional_seeds,
        },
    ),
    "LatentSpace.split": Case(
        lambda codes: list(Objects.space.split(codes).values()), {"codes": codes}, nan=True
    ),
    "LatentSpace.log_likelihood": Case(
        lambda q_params, codes: list(Objects.space.log_likelihood(q_params, codes).values()),
        {"q_params": q_params, "codes": arrays((4, 6), low=0.1, high=0.9, layouts=INPUTS)},
        nan=True,
    ),
    "LatentSpace.predict": Case(
        lambda q_params: list(Objects.space.predict(q_params).values()),
        {"q_params": q_params},
        nan=True,
    ),
    "LatentSpace.traversal": Case(
        lambda latent, name, dim, steps, extent: Objects.space.traversal(
            latent, name, dim, steps, extent
        ),
        {
            "latent": arrays((6,)),
            "name": st.sampled_from(Objects.space.names),
            "dim": st.just(0),
            "steps": st.integers(2, 4),
            "extent": st.sampled_from((0.5, 1)),
        },
        nan=True,
    ),
    "as_space": Case(
        lambda space, width: latents.as_space(space, width).sample(2),
        {
            "space": st.sampled_from((None, Objects.space)),
            "width": st.sampled_from((1, 6)),
        },
    ),
    "closed_form_directions": Case(
        latents.closed_form_directions,
        {"layers": arrays((3, 4), low=0.1), "num": maybe(st.integers(1, 3))},
        lambda a: (a.get("num") or 3, 3),
    ),
    "principal_directions": Case(
        latents.principal_directions,
        {
            "generator": st.sampled_from((lambda z: z, lambda z: np.tanh(z @ np.ones((3, 2))))),
            "layer": maybe(st.none()),
            "num": st.just(1),
            "space": st.sampled_from((3, latents.LatentSpace([latents.Uniform(3)]))),
            "num_samples": st.integers(4, 20),
            "batch_size": maybe(st.integers(2, 30)),
            "seed": maybe(seeds),
        },
        lambda a: (1, 3),
        share=0.5,
    ),
    "orthogonalize": Case(
        latents.orthogonalize,
        {"z": arrays((4, 3), (1, 3)), "directions": arrays((3,), (2, 3), (1, 3), low=0.1)},
        nan=True,
    ),
    "OptimizerGroup": Case(
        group,
        {
            "slots": st.sampled_from((1, 2)).map(
                lambda n: {f"slot_{i}": keras.optimizers.SGD(0.1) for i in range(n)}
            ),
            "name": maybe(st.just("group")),
        },
        share=0.3,
    ),
    "Phase": Case(
        trainers.Phase,
        {"slot": st.just("a"), "networks": st.just(()), "loss": st.just(lambda data: 0.0)},
        share=0.2,
    ),
    "PhasedModel": Case(
        lambda **settings: trainers.PhasedModel(**settings).seed_generator.state,
        {
            "seed": maybe(optional_seeds),
            "name": maybe(st.just("model")),
            "dtype": maybe(st.sampled_from(("float32", "mixed_bfloat16"))),
        },
        share=0.3,
    ),
}
