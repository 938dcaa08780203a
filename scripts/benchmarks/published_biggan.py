"""The published BigGANs beside ours, from equal random weights, at full size.

    python scripts/benchmarks/published_biggan.py --official ../hessian_penalty/biggan_discovery
    python scripts/benchmarks/published_biggan.py --official ... --only biggan_128 --channels 16
    python scripts/benchmarks/published_biggan.py --official ... --golden published_biggans.json

Brock's PyTorch generator, as in the folder biggan_discovery of a checkout of
github.com/wpeebles/hessian_penalty (or of github.com/ajbrock/BigGAN-PyTorch), and BigGAN-deep of
the installed package pytorch-pretrained-biggan, unchanged, in float32 on the CPU; ours with the
backend that KERAS_BACKEND names. Each published network gets the weights of
tests/random_checkpoints.py and stores them as a checkpoint, which is converted and loaded. Prints,
for each network and truncation, the spread of the published images (in [-1, 1]) and the largest and
mean absolute differences of ours from them. The largest, at 512x512, takes about 4 GB of memory.

`--golden` writes the numbers that the tests hold ours against, of networks with few channels.
"""

import argparse
import contextlib
import copy
import gc
import io
import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import random_checkpoints  # noqa: E402

TRUNCATIONS = (0.14, 0.4, 0.43, 0.435, 0.5, 1.0)
SIZES = {"biggan_128": 128, "deep_128": 128, "deep_256": 256, "deep_512": 512}
SMALL = {"channels": 16, "num_classes": 7}
# (key, truncations, images for each) of the golden numbers.
GOLDEN = (("biggan_128", (None,), 3), ("deep_128", TRUNCATIONS, 1), ("deep_256", (0.435, 1.0), 1))
PIXELS = 5  # Golden pixels a side.
GRIDS = {size: slice(size // 10, size, size // PIXELS) for size in (128, 256)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--official", required=True, help="the folder with BigGAN.py")
    parser.add_argument("--only", nargs="+", choices=sorted(SIZES), default=list(SIZES))
    parser.add_argument("--channels", type=int, help="instead of the published 96 and 128")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="of weights and latents")
    parser.add_argument("--golden", help="a JSON file to write, in place of comparing")
    options = parser.parse_args()
    if not (Path(options.official) / "BigGAN.py").is_file():
        parser.error(f"--official must hold BigGAN.py. Received: {options.official}")
    sys.path.insert(0, options.official)
    if options.golden:
        Path(options.golden).write_text(golden(options.seed))
        return
    for key in options.only:
        compare(key, options.channels, options.images, options.seed)
        gc.collect()


def compare(key, channels, count, seed):
    """Prints how far our images are from the published ones."""
    from keras import backend, ops

    import keras_disentangle as kd
    from keras_disentangle.applications.biggan.convert import convert

    network = published(key, seed, **({"channels": channels} if channels else {}))
    width, num_classes = network_sizes(key, network)
    z = random_checkpoints.latents(count, width, seed)
    labels = np.random.RandomState(seed).randint(num_classes, size=count)
    truncations = TRUNCATIONS if key.startswith("deep") else (None,)
    expected = [run(network, z, labels, truncation) for truncation in truncations]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, weights = f"{folder}/published.pth", f"{folder}/ours.weights.h5"
        torch.save(network.state_dict(), checkpoint)
        del network
        manifest = convert(checkpoint, weights)
        model = getattr(kd.applications, manifest["application"])(weights, **manifest["settings"])
    print(f"{key}, {backend.backend()}, {manifest['settings']}")
    for truncation, images in zip(truncations, expected, strict=True):
        if truncation is not None:
            model.truncation = truncation
        ours = [
            ops.convert_to_numpy(model.predict_on_batch([z[i : i + 1], labels[i : i + 1]]))
            for i in range(count)
        ]
        apart = np.abs(np.concatenate(ours) - images)
        print(
            f"  truncation {truncation}: standard deviation {images.std():.2f} "
            f"({images.std(axis=(1, 2)).mean():.2f} within an image and color), "
            f"largest difference {apart.max():.1e}, mean {apart.mean():.1e}",
            flush=True,
        )


def golden(seed):
    """The golden numbers as JSON: pixels on a grid and the mean of each channel of each image."""
    import pytorch_pretrained_biggan

    assert pytorch_pretrained_biggan.__version__ == "0.1.1"
    networks = {}
    for key, truncations, count in GOLDEN:
        network = published(key, seed, **SMALL)
        width, num_classes = network_sizes(key, network)
        outputs = []
        for i, truncation in enumerate(truncations, start=seed):
            z = random_checkpoints.latents(count, width, i)
            labels = np.random.RandomState(i).randint(num_classes, size=count)
            images = run(network, z, labels, truncation)
            outputs.append(
                {
                    "truncation": truncation,
                    "latent_seed": i,
                    "labels": labels.tolist(),
                    "means": numbers(images.mean(axis=(1, 2))),
                    "pixels": numbers(images[:, GRIDS[SIZES[key]]][:, :, GRIDS[SIZES[key]]]),
                }
            )
        networks[key] = {"image_size": SIZES[key], **SMALL, "seed": seed, "outputs": outputs}
    content = {
        "biggan": "BigGAN.py of the folder biggan_discovery, repository wpeebles/hessian_penalty, "
        "commit 559a270c552898ca99f77ccd9d9c88b61e97cd34: Generator in evaluation mode, with the "
        "arguments of launch_BigGAN_bs256x8.sh but for G_ch and n_classes",
        "deep": "BigGAN of pytorch-pretrained-biggan 0.1.1, with BigGAN128 and BigGAN256 of its "
        "convert_tf_to_pytorch.py but for channel_width and num_classes",
        "versions": f"PyTorch {torch.__version__}, NumPy {np.__version__}, float32, CPU",
        "arguments": "Weights and latents of tests/random_checkpoints.py. Images are in [-1, 1], "
        f"channels last; of {PIXELS} rows and {PIXELS} columns the pixels, and the means of each "
        "color. Written by scripts/benchmarks/published_biggan.py --golden.",
        "pixels": {size: [index.start, index.stop, index.step] for size, index in GRIDS.items()},
        "networks": networks,
    }
    # A list of numbers is a line.
    flat = re.compile(r"\[\s+[^\[\]{}]+?\s+\]")
    text = json.dumps(content, indent=2)
    return flat.sub(lambda numbers: re.sub(r"\s+", " ", numbers.group()), text) + "\n"


def numbers(values):
    return [round(float(value), 5) for value in values.reshape(-1)]


def published(key, seed, **sizes):
    """A published network with random weights."""
    torch.set_grad_enabled(False)
    family, size = key.split("_")[0], SIZES[key]
    shapes = getattr(random_checkpoints, f"{family}_shapes")(image_size=size, **sizes)
    if family == "biggan":
        import BigGAN

        with contextlib.redirect_stdout(io.StringIO()):
            network = BigGAN.Generator(
                G_ch=sizes.get("channels", 96),
                n_classes=sizes.get("num_classes", 1000),
                resolution=size,
                dim_z=120,
                shared_dim=128,
                hier=True,
                G_shared=True,
                G_attn="64",
                SN_eps=1e-6,
                BN_eps=1e-5,
                skip_init=True,
                no_optim=True,
            )
    else:
        from pytorch_pretrained_biggan import BigGAN, convert_tf_to_pytorch

        config = copy.copy(getattr(convert_tf_to_pytorch, f"BigGAN{size}"))
        config.channel_width = sizes.get("channels", config.channel_width)
        config.num_classes = sizes.get("num_classes", config.num_classes)
        network = BigGAN(config)
    values = random_checkpoints.fill(shapes, seed)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})
    return network.eval()


def network_sizes(key, network):
    """Width of the latents and number of classes."""
    if key.startswith("deep"):
        return network.embeddings.weight.shape
    return network.dim_z, network.n_classes


def run(network, z, labels, truncation):
    """The published images (n, h, w, 3) in [-1, 1]; one at a time, for their memory."""
    images = []
    for latent, label in zip(torch.from_numpy(z), labels, strict=True):
        if truncation is None:
            image = network(latent[None], network.shared(torch.tensor([label])))
        else:
            one_hot = torch.eye(network.config.num_classes)[[label]]
            image = network(latent[None], one_hot, truncation)
        images.append(image.numpy().transpose(0, 2, 3, 1))
    return np.concatenate(images)


if __name__ == "__main__":
    main()
