"""Data sets: made, then asked for images, factors, samples and batches."""

import functools
import pathlib

import numpy as np
from hypothesis import strategies as st
from properties._cases import NUMPY, Case, arrays, maybe, seeds

from keras_disentangle import datasets, visualization

IMAGES = np.random.default_rng(0).integers(0, 256, size=(6, 8, 8, 1), dtype="uint8")
images = st.one_of(
    arrays((6, 8, 8, 1), (6, 8, 8, 3), (6, 8, 8), low=0, high=1, layouts=NUMPY),
    st.just(IMAGES),
)
index = st.sampled_from(([0], [2, 1, 2], np.array([3]), np.array([], "int64"), range(2)))
factors = st.sampled_from(([[0, 0, 0]], np.array([[1, 0, 2], [0, 0, 1]])))
sizes = (2, 1, 3)


@functools.cache
def grid():
    return datasets.ArrayFactorDataset(IMAGES, sizes, ("a", "b", "c"))


@functools.cache
def sprites():
    return datasets.DSprites(image_size=16)


@functools.cache
def labelled():
    return datasets.LabelledImages(IMAGES, np.arange(6) % 2)


def asked(data, index, n, rng, batch_size, seed, steps_per_epoch):
    """What every data set answers."""
    shape = np.shape(data.images(index))
    found = data.factors(index)
    batches = data.batches(batch_size, seed, steps_per_epoch)
    return found, data.sample_index(n, rng), batches[0][0], np.array(shape)


QUESTIONS = {
    "index": index,
    "n": st.integers(1, 5),
    "rng": seeds,
    "batch_size": st.integers(1, 6),
    "seed": seeds,
    "steps_per_epoch": st.sampled_from((None, 1, 3)),
}


def made(make):
    """Makes a data set, and asks it for its first image."""

    def call(**settings):
        data = make(**settings)
        return data.images([0]), data.factors([0])

    return call


def weighed(dataset, weight, n, rng):
    return datasets.WeightedFactors(dataset, weight).sample_factors(n, rng)


def batched(images, batch_size, seed, **settings):
    return datasets.image_batches(images, batch_size, seed, **settings)[0][0]


def loaded(name_or_path, **settings):
    return datasets.load_images(name_or_path, **settings)[0]


def no_files(image_size):
    """Finds one file of six, which is damaged: none is fetched where there are some."""
    pathlib.Path("norb").mkdir(exist_ok=True)
    pathlib.Path("norb/smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat").write_bytes(b"no")
    try:
        datasets.SmallNORB("norb", image_size=image_size)
    except (ValueError, FileNotFoundError) as error:
        if "smallnorb" not in str(error):
            raise


def no_cars(image_size):
    """Finds one file of 183, which is damaged."""
    pathlib.Path("cars").mkdir(exist_ok=True)
    pathlib.Path("cars/car_001_mesh.mat").write_bytes(b"no")
    try:
        datasets.Cars3D("cars", image_size=image_size)
    except ValueError as error:
        if "183" not in str(error):
            raise


def no_arm(variant, image_size):
    """Finds a file without images."""
    names = ("mpi3d_toy", "mpi3d_realistic", "mpi3d_real", "mpi3d_complex")
    for name in names:
        np.savez(f"{name}.npz", labels=IMAGES)
    try:
        datasets.MPI3D(variant, ".", image_size)
    except ValueError as error:
        if "array images" not in str(error):
            raise


def archive():
    """The path of a file that holds labelled images."""
    np.savez("labelled.npz", images=IMAGES, factors=np.arange(6) % 2)
    return "labelled.npz"


def folder():
    """The path of a folder with a pair of pictures."""
    pathlib.Path("pairs").mkdir(exist_ok=True)
    visualization.save_png("pairs/a.png", np.arange(96, dtype="uint8").reshape(4, 8, 3))
    return "pairs"


def streamed(name_or_path, **settings):
    return datasets.stream_images(name_or_path, **settings)[0][0]


PACKAGES = ("datasets",)

TABLE = {
    "ArrayFactorDataset": Case(
        made(datasets.ArrayFactorDataset),
        {
            "images": images,
            "factor_sizes": st.sampled_from((sizes, [1, 6, 1], np.array([3, 2, 1]))),
            "factor_names": st.sampled_from((("a", "b", "c"), ["x", "y", "z"])),
        },
        share=0.5,
    ),
    "ArrayFactorDataset.questions": Case(lambda **questions: asked(grid(), **questions), QUESTIONS),
    "ArrayFactorDataset.index": Case(lambda factors: grid().index(factors), {"factors": factors}),
    "ArrayFactorDataset.sample_factors": Case(
        lambda n, rng: grid().sample_factors(n, rng),
        {"n": st.integers(1, 5), "rng": seeds},
        lambda a: (a["n"], 3),
    ),
    "FactorDataset.pairs": Case(
        lambda **settings: grid().pairs(**settings)[0][0],
        {
            "batch_size": st.integers(1, 6),
            "seed": seeds,
            "num_changed": maybe(st.sampled_from((1, 2, None, range(1, 3), [2]))),
            "steps_per_epoch": maybe(st.sampled_from((None, 1, 9))),
        },
        lambda a: (a["batch_size"], 2, 8, 8, 1),
    ),
    "FactorDataset.transitions": Case(
        lambda **settings: grid().transitions(**settings)[0][0],
        {
            "batch_size": st.integers(1, 6),
            "seed": seeds,
            "rate": maybe(st.sampled_from((0.5, 10, None))),
            "fixed": maybe(st.sampled_from(((), "a", ["a", "b"]))),
        },
        lambda a: (a["batch_size"], 2, 8, 8, 1),
    ),
    "FactorDataset": Case(
        lambda **settings: len(datasets.FactorDataset(**settings)),
        {
            "factor_names": st.sampled_from((("a", "b"), ["c", "d"])),
            "factor_sizes": st.sampled_from(((2, 3), [1, 1], np.array([4, 2]))),
            "image_shape": st.sampled_from(((4, 4, 1), [2, 2, 3])),
        },
        share=0.5,
    ),
    "LabelledImages": Case(
        made(datasets.LabelledImages),
        {
            "images": images,
            "factors": arrays((6,), (6, 2), low=0, high=2, integer=True),
            "factor_names": maybe(st.none()),
        },
        share=0.5,
    ),
    "LabelledImages.questions": Case(lambda **questions: asked(labelled(), **questions), QUESTIONS),
    "DSprites": Case(made(datasets.DSprites), {"image_size": st.sampled_from((16, 20))}, share=0.2),
    "DSprites.questions": Case(
        lambda **questions: asked(sprites(), **questions), QUESTIONS, share=0.3
    ),
    "DSpritesVariant": Case(
        made(datasets.DSpritesVariant),
        {
            "variant": st.sampled_from(("color", "noisy", "scream")),
            "data": st.builds(sprites),
            "background": maybe(st.none()),
            "seed": maybe(seeds),
        },
        share=0.2,
    ),
    "Shapes3D": Case(made(datasets.Shapes3D), {"image_size": st.just(16)}, share=0.1),
    "Clevr": Case(
        made(datasets.Clevr),
        {
            "variant": maybe(st.sampled_from(("simple", "1fov", "complex"))),
            "image_size": st.sampled_from((8, 12)),
            "material": maybe(st.sampled_from(("metal", "rubber"))),
            "positions": maybe(st.sampled_from((None, 2, 5))),
            "zoom": maybe(st.sampled_from((1, 1.5))),
        },
        share=0.1,
    ),
    "Cars3D": Case(no_cars, {"image_size": st.just(32)}, share=0.1),
    "MPI3D": Case(
        no_arm,
        {
            "variant": st.sampled_from(("toy", "realistic", "real", "complex")),
            "image_size": st.sampled_from((None, 32)),
        },
        share=0.1,
    ),
    # Its files are not here, and where no folder is named they would be fetched.
    "SmallNORB": Case(no_files, {"image_size": st.just(32)}, share=0.1),
    "WeightedFactors": Case(
        weighed,
        {
            "dataset": st.builds(grid),
            "weight": st.sampled_from(
                (lambda f: f[:, 0] == 0, lambda f: np.full(len(f), 0.5), lambda f: f[:, 0] * 0 + 1)
            ),
            "n": st.integers(1, 5),
            "rng": seeds,
        },
        share=0.5,
    ),
    "correlated_factors": Case(
        lambda rng, **settings: datasets.correlated_factors(**settings).sample_factors(3, rng),
        {
            "dataset": st.builds(grid),
            "pair": st.sampled_from((("a", "c"), ["c", "a"])),
            "sigma": st.sampled_from((0.4, 1, np.inf)),
            "rng": seeds,
        },
        lambda a: (3, 3),
        share=0.5,
    ),
    "edge_maps": Case(
        datasets.edge_maps,
        {
            "images": images,
            "sigma": maybe(st.sampled_from((0.5, 1))),
            "low": maybe(st.sampled_from((0.05, 0.1))),
            "high": maybe(st.sampled_from((0.3, 0.9))),
        },
        share=0.5,
    ),
    "edges_and_images": Case(
        datasets.edges_and_images,
        {"images": images, "edges": maybe(st.none()), "sigma": maybe(st.just(1.0))},
        share=0.5,
    ),
    "image_batches": Case(
        batched,
        {
            "images": images,
            "batch_size": st.integers(1, 6),
            "seed": seeds,
            "steps_per_epoch": maybe(st.sampled_from((None, 1, 9))),
        },
    ),
    "load_images": Case(
        loaded,
        {
            "name_or_path": images,
            "split": maybe(st.just("train")),
            "data_dir": maybe(st.none()),
            "image_shape": maybe(st.sampled_from((None, (4, 4, 1), [6, 6, 3]))),
            "attributes": maybe(st.booleans()),
            "skip_damaged": maybe(st.booleans()),
        },
        share=0.5,
    ),
    "load_labelled_images": Case(
        lambda path: datasets.load_labelled_images(path).images([0]),
        {"path": st.builds(archive)},
        share=0.1,
    ),
    "load_paired_images": Case(
        datasets.load_paired_images,
        {
            "folder": st.builds(folder),
            "image_shape": maybe(st.just((4, 4, 1))),
            "skip_damaged": maybe(st.booleans()),
        },
        share=0.1,
    ),
    "stream_images": Case(
        streamed,
        {
            "name_or_path": st.builds(folder),
            "image_shape": st.sampled_from(((4, 4, 1), [6, 6, 3])),
            "batch_size": st.just(1),
            "seed": seeds,
            "split": maybe(st.just("train")),
            "data_dir": maybe(st.none()),
            "steps_per_epoch": maybe(st.sampled_from((None, 1, 9))),
            "labels": maybe(st.just(False)),
            "shard": maybe(st.sampled_from(((0, 1), [0, 1]))),
            "num_workers": maybe(st.integers(0, 2)),
            "skip_damaged": maybe(st.booleans()),
        },
        lambda a: (1, *a["image_shape"]),
        share=0.2,
    ),
}
