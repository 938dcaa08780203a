"""Converts the published PyTorch checkpoints of BigGAN and BigGAN-deep."""

import argparse
import functools
import math
import re
from pathlib import Path

import keras
import numpy as np

from keras_disentangle._files import replacing, sha256
from keras_disentangle.applications._shared.files import write_json
from keras_disentangle.applications.biggan import checkpoint, networks
from keras_disentangle.applications.biggan.biggan import BigGAN, BigGANDeep
from keras_disentangle.layers import ConditionalBatchNormalization, SelfAttention2D

SHOWN = 10  # Names in an error, of however many.


def main(arguments=None):
    """Command line of `keras-disentangle convert biggan`."""
    parser = argparse.ArgumentParser(
        prog="keras-disentangle convert biggan",
        description="Turns a published PyTorch checkpoint of BigGAN (the generator of Brock's "
        "code, G_ema.pth) or of BigGAN-deep (pytorch-pretrained-biggan, pytorch_model.bin) into "
        "weights that the application loads. Their images are as published.",
        epilog="Example: convert.py biggan --checkpoint G_ema.pth --to biggan_128.weights.h5",
    )
    parser.add_argument("--checkpoint", required=True, help="a .pth, .pt, .bin or .safetensors")
    parser.add_argument("--to", required=True, help="the .weights.h5 file to write")
    parser.add_argument("--manifest", help="a .json file to write: what became of each tensor")
    options = parser.parse_args(arguments)
    manifest = convert(options.checkpoint, options.to, options.manifest)
    unused = sum("unused" in tensor for tensor in manifest["tensors"].values())
    settings = "".join(f", {name}={value}" for name, value in manifest["settings"].items())
    print(f"{len(manifest['tensors']) - unused} tensors converted, {unused} not needed. Load by")
    print(f"kd.applications.{manifest['application']}({options.to!r}{settings})")


def convert(checkpoint_path, to_path, manifest_path=None):
    """Writes a published checkpoint as weights for `BigGAN` or `BigGANDeep`.

    The size, the widths and the number of classes are read off the tensors' shapes. The singular
    vectors of Brock's networks become those that they take at inference, one power iteration from
    the stored ones on; BigGAN-deep's are as stored.

    Args:
        checkpoint_path: a state dict, `.pth`, `.pt`, `.bin` or `.safetensors`.
        to_path: the `.weights.h5` file, written whole or not at all.
        manifest_path: a `.json` file for what is returned.

    Returns:
        Dict with "checkpoint" (its name, bytes and SHA-256), "application" (the class that loads
        the weights), "settings" (its arguments) and "tensors": from every published name to its
        shape and to either "to", the paths of the weights that are made of it, or "unused", the
        reason why it is not needed.

    Raises:
        ValueError: if the file is refused (`checkpoint.read_state_dict`), is of neither family or
            of a variant that these networks are not; if tensors are missing, left over, of another
            shape or no floats; or if a path does not have its suffix.
        ImportError: if the package that reads the checkpoint is missing.

    Example:

    >>> convert("G_ema.pth", "biggan_128.weights.h5")["settings"]["channels"]
    96

    References: github.com/ajbrock/BigGAN-PyTorch; the package pytorch-pretrained-biggan 0.1.1.
    """
    to_path = _suffixed("to_path", to_path, ".weights.h5")
    if manifest_path is not None:
        manifest_path = _suffixed("manifest_path", manifest_path, ".json")
    published = checkpoint.read_state_dict(checkpoint_path)
    families = [family for family in (_BigGAN, _BigGANDeep) if family.SIGN in published]
    if len(families) != 1:
        raise ValueError(
            "`checkpoint` must be of the generator of Brock's BigGAN, with shared embeddings (a "
            f"tensor {_BigGAN.SIGN}), or of BigGAN-deep (a tensor {_BigGANDeep.SIGN}). "
            f"Received: {checkpoint_path} with {_listed(published)}"
        )
    family = families[0](published, checkpoint_path)
    model = family.convert()
    with replacing(to_path, suffix=".weights.h5") as part:
        model.save_weights(part)
    manifest = {
        "checkpoint": {
            "file": Path(checkpoint_path).name,
            "bytes": Path(checkpoint_path).stat().st_size,
            "sha256": sha256(checkpoint_path),
        },
        "application": type(model).__name__,
        "settings": family.settings,
        "tensors": {
            name: {"shape": list(value.shape), **family.fate(name)}
            for name, value in published.items()
        },
    }
    if manifest_path is not None:
        write_json(manifest_path, manifest)
    return manifest


class _Family:
    """How the state dict of one kind of network becomes the weights of ours.

    For every layer of the model, a subclass says what its published name is (`published_name`) and
    how its tensors are called there.
    """

    def __init__(self, published, path):
        self.published, self.path = published, path
        self.paths = {}  # Published name -> paths of the weights that are made of it.
        self.shapes = {}  # Published name -> the shape that it must have.
        self.values = []  # (weight, function that gives its value).

    def convert(self):
        """The model with the published weights."""
        self.check_variant()
        self.settings = self.inferred_settings()
        # The initial weights do not matter.
        model = self.MODEL(**self.settings, kernel_initializer="zeros", dtype="float32")
        for layer in model.layers:
            self._add(layer)
        self._check()
        for variable, value in self.values:
            variable.assign(value())
        return model

    def fate(self, name):
        """What the manifest says of a published tensor besides its shape."""
        if name in self.paths:
            return {"to": self.paths[name]}
        return {"unused": self._why_unused(name)}

    def move(self, name, variable, shape=None, layout=np.asarray):
        """One published tensor becomes one weight, in another layout."""
        self.need(name, variable.shape if shape is None else shape, variable)
        self.values.append((variable, lambda: layout(self.published[name])))

    def need(self, name, shape, *variables):
        """One published tensor takes part in these weights."""
        self.shapes[name] = tuple(shape)
        self.paths[name] = [variable.path for variable in variables]

    def shape(self, name, rank):
        """The shape of a published tensor that tells a setting."""
        received = self.published[name].shape if name in self.published else None
        if received is None or len(received) != rank:
            raise ValueError(
                f"`checkpoint` must have a tensor {name} with {rank} axes. "
                f"Received: {received} in {self.path}"
            )
        return received

    def _add(self, layer):
        if isinstance(layer, ConditionalBatchNormalization):
            self.add_norm(layer, self.published_name(layer.name))
        elif isinstance(layer, SelfAttention2D):
            name = self.published_name(layer.name)
            gamma = f"{name}.gamma"
            self.move(gamma, layer.gamma, self.GAMMA_SHAPE, layout=np.squeeze)
            for ours, part in zip(("theta", "phi", "g", "o"), self.ATTENTION_PARTS, strict=True):
                self.add_spectral(getattr(layer, ours), f"{name}.{part}")
        elif isinstance(layer, keras.layers.Embedding):
            self.add_embedding(layer)
        elif hasattr(layer, "kernel"):
            self.add_spectral(layer, self.published_name(layer.name))

    def _check(self):
        """Raises a ValueError unless all tensors are there, of their shapes, and no others."""
        published, shapes = self.published, self.shapes
        missing = [name for name in shapes if name not in published]
        left = [n for n in published if n not in shapes and self._why_unused(n) is None]
        if missing or left:
            raise ValueError(
                "`checkpoint` must hold every tensor of the published network and no other. "
                f"Received: {self.path}"
                + (f", without {missing}" if missing else "")
                + (f", with {left}" if left else "")
            )
        for name, shape in shapes.items():
            received = published[name]
            if received.shape != shape or received.dtype.kind != "f":
                raise ValueError(
                    f"The tensor {name} must be floats of the shape {shape}, by the sizes of the "
                    f"others. Received: {received.dtype} of the shape {received.shape} in "
                    f"{self.path}"
                )

    def _why_unused(self, name):
        return next((why for like, why in self.UNUSED.items() if re.search(like, name)), None)


class _BigGAN(_Family):
    """The generator of Brock's code."""

    MODEL = BigGAN
    SIGN = "shared.weight"
    ATTENTION_PARTS = ("theta", "phi", "g", "o")
    GAMMA_SHAPE = ()
    PARTS = {
        "norm_1": "bn1",
        "norm_2": "bn2",
        "conv_1": "conv1",
        "conv_2": "conv2",
        "shortcut": "conv_sc",
    }
    UNUSED = {
        r"\.sv\d+$": "a record of the singular value that nothing reads",
        r"\.u[1-9]\d*$": "an estimate of a further singular vector, for records alone",
        r"\.accumulation_counter$": "the number of batches of standing statistics, 0",
    }

    def check_variant(self):
        """Refuses networks that compute something else, or something unknown, with these names."""
        names = self.published
        synchronized = [name for name in names if name.endswith(".bn.running_mean")]
        if synchronized:
            raise ValueError(
                "`checkpoint` must not be of a network with cross-replica normalisation, whose "
                "published code multiplies by the gain in training and adds it at inference. "
                f"Received: {self.path} with {_listed(synchronized)}"
            )
        accumulated = [
            name
            for name, value in names.items()
            if name.endswith(".accumulation_counter") and value.any()
        ]
        if accumulated:
            raise ValueError(
                "`checkpoint` must hold moving statistics, not sums over batches: in these it "
                "cannot be told what else they contain. "
                f"Received: {self.path}, with batches in {_listed(accumulated)}"
            )
        if not any(name.endswith(".sv0") for name in names):
            raise ValueError(
                "`checkpoint` must hold the tensors *.sv0 of the published code. Those without "
                "were made from TensorFlow's networks, which normalise with another epsilon "
                f"(1e-4). Received: {self.path}"
            )

    def inferred_settings(self):
        num_classes, embedding_dim = self.shape(self.SIGN, 2)
        chunk_dim = self.shape("linear.weight", 2)[1]
        blocks = sum(
            bool(re.fullmatch(r"blocks\.\d+\.0\.conv1\.weight", n)) for n in self.published
        )
        image_size = networks.SMALLEST * 2**blocks
        if image_size not in networks.WIDTHS:
            known = sorted(round(math.log2(size // networks.SMALLEST)) for size in networks.WIDTHS)
            raise ValueError(
                f"`checkpoint` must be of a network with {known[0]} to {known[-1]} blocks. "
                f"Received: {blocks} in {self.path}"
            )
        start = self.shape("blocks.0.0.conv1.weight", 4)[1]
        return {
            "image_size": image_size,
            "channels": start // networks.WIDTHS[image_size][0],
            "latent_dim": chunk_dim * (blocks + 1),
            "num_classes": num_classes,
            "embedding_dim": embedding_dim,
        }

    def published_name(self, name):
        if name.startswith("block_"):
            _, number, part = name.split("_", 2)
            return f"blocks.{int(number) - 1}.0.{self.PARTS[part]}"
        return {
            "project": "linear",
            "attention": f"blocks.{_doublings() - 1}.1",
            "output_norm": "output_layer.0",
            "output_conv": "output_layer.2",
        }[name]

    def add_embedding(self, layer):
        self.move(self.SIGN, layer.embeddings)

    def add_norm(self, layer, name):
        # Their own normalisation (`mybn`) keeps the statistics one level deeper.
        deeper = f"{name}.bn.stored_mean" in self.published
        for variable, part in ((layer.moving_mean, "mean"), (layer.moving_variance, "var")):
            stored = f"{name}.bn.stored_{part}" if deeper else f"{name}.stored_{part}"
            self.move(stored, variable, variable.shape[1:], layout=np.atleast_2d)
        if layer.gain is None:
            self.move(f"{name}.gain", layer.gamma)
            self.move(f"{name}.bias", layer.beta)
        else:
            self.add_spectral(layer.gain, f"{name}.gain")
            self.add_spectral(layer.bias, f"{name}.bias")

    def add_spectral(self, layer, name):
        weight, start = f"{name}.weight", f"{name}.u0"
        # Their first map has the channel before row and column.
        units = _channels_last if layer.name == "project" else np.asarray
        shape = _outputs_first(layer.kernel.shape)
        self.need(weight, shape, layer.kernel, layer.left, layer.right)
        self.need(start, (1, shape[0]), layer.left, layer.right)

        @functools.cache
        def vectors():
            """What inference takes: one power iteration from the stored vector on."""
            matrix = self.published[weight].reshape(shape[0], -1).astype("float64")
            right = _normalized(self.published[start][0] @ matrix, layer.epsilon)
            return _normalized(matrix @ right, layer.epsilon), right

        self.values += [
            (layer.kernel, lambda: _outputs_last(units(self.published[weight]))),
            (layer.left, lambda: units(vectors()[0])),
            (layer.right, lambda: _inputs_last(vectors()[1], shape)),
        ]
        if layer.use_bias:
            self.move(f"{name}.bias", layer.bias, layout=units)


class _BigGANDeep(_Family):
    """BigGAN-deep of the package pytorch-pretrained-biggan."""

    MODEL = BigGANDeep
    SIGN = "embeddings.weight"
    ATTENTION_PARTS = tuple(f"snconv1x1_{part}" for part in ("theta", "phi", "g", "o_conv"))
    GAMMA_SHAPE = (1,)
    UNUSED = {}

    def check_variant(self):
        """There is only one."""

    def inferred_settings(self):
        latent_dim, num_classes = self.shape(self.SIGN, 2)
        blocks = sum(
            bool(re.fullmatch(r"generator\.layers\.\d+\.conv_0\.weight_orig", name))
            for name in self.published
        )
        image_size = networks.SMALLEST * 2 ** (blocks // 2)
        if image_size not in networks.DEEP_SIZES or blocks % 2:
            known = [2 * round(math.log2(s // networks.SMALLEST)) for s in networks.DEEP_SIZES]
            raise ValueError(
                f"`checkpoint` must be of a network with a number of blocks in {known}. "
                f"Received: {blocks} in {self.path}"
            )
        return {
            "image_size": image_size,
            "channels": self.shape("generator.bn.weight", 1)[0],
            "latent_dim": latent_dim,
            "num_classes": num_classes,
        }

    def published_name(self, name):
        attention = 2 * _doublings()
        if name.startswith("block_"):
            _, number, part, j = name.split("_")
            place = int(number) - 1
            # The attention has a place among the blocks.
            place += place >= attention
            part = "bn" if part == "norm" else part
            return f"generator.layers.{place}.{part}_{int(j) - 1}"
        return {
            "project": "generator.gen_z",
            "attention": f"generator.layers.{attention}",
            "output_norm": "generator.bn",
            "output_conv": "generator.conv_to_rgb",
        }[name]

    def add_embedding(self, layer):
        # They multiply a row of zeros and a one with it.
        self.move(self.SIGN, layer.embeddings, layer.embeddings.shape[::-1], layout=np.transpose)

    def add_norm(self, layer, name):
        self.move(f"{name}.running_means", layer.moving_mean)
        self.move(f"{name}.running_vars", layer.moving_variance)
        if layer.gain is None:
            self.move(f"{name}.weight", layer.gamma)
            self.move(f"{name}.bias", layer.beta)
        else:
            self.add_spectral(layer.gain, f"{name}.scale")
            self.add_spectral(layer.bias, f"{name}.offset")

    def add_spectral(self, layer, name):
        shape = _outputs_first(layer.kernel.shape)
        self.move(f"{name}.weight_orig", layer.kernel, shape, layout=_outputs_last)
        self.move(f"{name}.weight_u", layer.left)
        self.move(f"{name}.weight_v", layer.right, layout=lambda v: _inputs_last(v, shape))
        if layer.use_bias:
            self.move(f"{name}.bias", layer.bias)


def _doublings():
    """How often the first map is doubled until attention comes."""
    return round(math.log2(networks.ATTENTION_SIZE // networks.SMALLEST))


def _outputs_first(shape):
    """Of a kernel of ours, (h, w, in, out) or (in, out), the published shape."""
    return (shape[-1], shape[-2], *shape[:-2])


def _outputs_last(weight):
    """A published weight, (out, in, h, w) or (out, in), as a kernel of ours."""
    return np.moveaxis(weight, (1, 0), (-2, -1))


def _inputs_last(right, shape):
    """A right singular vector of a published weight, of which the inputs come first."""
    return np.moveaxis(right.reshape(shape[1:]), 0, -1).reshape(-1)


def _channels_last(values):
    """Units in the order (channel, pixel) as (pixel, channel)."""
    pixels = networks.SMALLEST**2
    return values.reshape(-1, pixels, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)


def _normalized(vector, epsilon):
    return vector / max(np.linalg.norm(vector), epsilon)


def _listed(names):
    names = list(names)
    return f"{names[:SHOWN]}" + (f" and {len(names) - SHOWN} more" if names[SHOWN:] else "")


def _suffixed(argument, path, suffix):
    if not str(path).endswith(suffix):
        raise ValueError(f"`{argument}` must end in {suffix}. Received: {argument}={path}")
    return Path(path)
