"""Model centrality, which ranks generators with encoders without factors."""

import numpy as np

from keras_disentangle._arguments import check_callable, check_int, check_seed
from keras_disentangle._progress import progress
from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents import LatentSpace, as_space
from keras_disentangle.metrics._models import check_list
from keras_disentangle.metrics._validation import check_matrix
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def model_centrality(
    encode,
    generate,
    space,
    *,
    num_votes=1000,
    batch_size=100,
    num_variance=10_000,
    seed=0,
    encode_batch=2048,
):
    """Model centrality: do the models agree about which of their codes was held fixed?

    The codes of one model are taken for the factors of the images that it generates, and another
    model's encoder gets a FactorVAE score on them: a vote is a batch of images that share the value
    of one code; it goes to the encoder's dimension whose variance, relative to that over random
    images, is lowest; and the score is the share of votes that the best assignment of dimensions to
    codes gets right. It is averaged over both directions, and over all other models: a model that
    many agree with is central, and good models are taken to agree with each other.

    As in the authors' code, the votes that decide the assignment are those that are scored.

    Args:
        encode: list of functions, one of each of two or more models, from images to codes, (m, d):
            `lambda x: vae.encode(x)[0]`, or a GAN's `encode`.
        generate: list of functions, from float32 codes (m, dim) to images as `encode` takes them.
        space: list of the models' `LatentSpace`, or numbers of standard normal dimensions; or one
            of these for all. The codes that are held fixed are the informative ones of a space or,
            if there is none, all: each dimension of a continuous code, a categorical one as a
            whole.
        num_votes: number of votes for each generator; each code is held fixed in as many.
        batch_size: number of images in a vote.
        num_variance: number of random images for the variances.
        seed: seed of the codes.
        encode_batch: approximate number of images that are generated at once.

    Returns:
        Float64 array (n,), the centrality of each model in [0, 1]. An encoder whose dimensions are
        all constant agrees with nobody: it scores 0 on the others' images.

    Raises:
        ValueError: if there are fewer than two models, the lists differ in length, an entry is not
            a function, a number is not a positive integer (`batch_size`, `num_variance`: at least
            2), or an encoder does not return finite codes of shape (m, d).

    Example:

    >>> def double(z):
    ...     return 2 * z
    >>> kd.metrics.model_centrality([double, double], [double, double], 3)
    array([1., 1.])

    Reference: Lin et al., InfoGAN-CR and ModelCentrality, 2020, section 5.
    """
    encode = [check_callable("encode", f) for f in check_list("encode", encode)]
    generate = [check_callable("generate", f) for f in check_list("generate", generate)]
    space = space if isinstance(space, (list, tuple)) else [space] * len(encode)
    spaces = [each if isinstance(each, LatentSpace) else as_space(each) for each in space]
    if not len(encode) == len(generate) == len(spaces):
        raise ValueError(
            "`encode`, `generate` and `space` must have an entry for each model. "
            f"Received: {len(encode)}, {len(generate)} and {len(spaces)}"
        )
    num_votes = check_int("num_votes", num_votes)
    batch_size = check_int("batch_size", batch_size, minimum=2)
    num_variance = check_int("num_variance", num_variance, minimum=2)
    encode_batch = check_int("encode_batch", encode_batch)
    seeds = np.random.SeedSequence(check_seed("seed", seed)).generate_state(len(encode)) >> 1

    agreement = np.zeros((len(encode), len(encode)))
    for j, (decode, space, seed) in enumerate(zip(generate, spaces, seeds, strict=True)):
        parts = _parts(space)
        fixed = np.arange(num_votes) % len(parts)
        z = to_numpy("z", space.sample(num_variance + num_votes * batch_size, int(seed)))
        z = np.array(z, np.float32)
        votes = z[num_variance:].reshape(num_votes, batch_size, -1)
        for vote, part in zip(votes, fixed, strict=True):
            vote[:, parts[part]] = vote[0, parts[part]]
        for i, codes in enumerate(_encoded(encode, decode, z, encode_batch)):
            whole, each = codes[:num_variance], codes[num_variance:]
            each = each.reshape(num_votes, batch_size, -1)
            agreement[i, j] = _share(whole, each, fixed, len(parts))
    agreement = (agreement + agreement.T) / 2
    np.fill_diagonal(agreement, 0)
    return agreement.sum(axis=1) / (len(encode) - 1)


def _parts(space):
    """The slices of a latent vector that are held fixed, one at a time."""
    found = []
    for code in space.informative or space.codes:
        start, size = space.slices[code.name].start, code.dim // code.num_traversals
        found += [
            slice(start + i * size, start + (i + 1) * size) for i in range(code.num_traversals)
        ]
    return found


def _encoded(encode, generate, z, encode_batch):
    """What each encoder gives of the images of codes `z`, a list of arrays (len(z), d_i)."""
    found = [[] for _ in encode]
    for start in progress(range(0, len(z), encode_batch), "batches of images"):
        part = z[start : start + encode_batch]
        images = to_numpy("generate(z)", generate(part))
        for function, codes in zip(encode, found, strict=True):
            batch = check_matrix("encode(images)", function(images))
            if len(batch) != len(part):
                raise ValueError(
                    f"`encode` must return one code for each of {len(part)} generated images. "
                    f"Received: encode(images).shape={batch.shape}"
                )
            codes.append(batch)
    return [np.concatenate(parts).astype(np.float64) for parts in found]


def _share(whole, votes, fixed, num_parts):
    """The share of votes, codes (votes, batch, d), whose winning dimension names what was fixed."""
    variance = whole.var(axis=0)
    used = variance > 0
    if not used.any():
        return 0.0
    winner = np.argmin(votes[..., used].var(axis=1) / variance[used], axis=1)
    counts = np.zeros((np.count_nonzero(used), num_parts))
    np.add.at(counts, (winner, fixed), 1)
    return counts.max(axis=1).sum() / len(votes)


declare(model_centrality, scores=[Score("model_centrality")], several_models=True)
