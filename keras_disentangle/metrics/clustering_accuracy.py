"""How well clusters that were found without labels match the labels."""

import numpy as np

from keras_disentangle._tensors import to_numpy
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score, one_in_values


def clustering_accuracy(clusters, labels):
    """Accuracy of clusters as a classifier, with the best one-to-one matching to labels.

    Clusters are paired with labels one to one so that most samples are classified correctly. With
    more clusters than labels, samples of unmatched clusters count as wrong; with fewer, samples of
    unmatched labels do.

    Args:
        clusters: integer array (n,), the cluster of each sample: for InfoGAN the most probable
            category of a code.
        labels: integer array (n,), the true class of each sample.

    Returns:
        A dict: `"accuracy"`, the share of samples classified correctly, in [0, 1]; `"error"`, 1 -
        accuracy; `"assignment"`, a dict of cluster to label.

    Raises:
        ValueError: if an array is empty, is not of rank 1 or does not hold integers, or if the
            lengths differ.

    Example:

    >>> kd.metrics.clustering_accuracy(np.array([2, 2, 0]), np.array([7, 7, 1]))
    {'accuracy': 1.0, 'error': 0.0, 'assignment': {0: 1, 2: 7}}

    Reference: Chen et al., InfoGAN, 2016, section 7.2: an error of 5% on MNIST.
    """
    clusters, labels = _check("clusters", clusters), _check("labels", labels)
    if len(clusters) != len(labels):
        raise ValueError(
            "`clusters` and `labels` must have one entry for each sample. "
            f"Received: clusters.shape={clusters.shape}, labels.shape={labels.shape}"
        )
    found, cluster = np.unique(clusters, return_inverse=True)
    known, label = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(found), len(known)), np.int64)
    np.add.at(counts, (cluster, label), 1)
    # Here, so that nothing loads SciPy before it is used.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(counts, maximize=True)
    correct = int(counts[rows, columns].sum())
    return {
        "accuracy": correct / len(labels),
        "error": (len(labels) - correct) / len(labels),
        "assignment": dict(zip(found[rows].tolist(), known[columns].tolist(), strict=True)),
    }


def _check(name, values):
    array = to_numpy(name, values)
    if array.ndim != 1 or not array.size:
        raise ValueError(
            f"`{name}` must be a non-empty array of shape (samples,). "
            f"Received: {name}.shape={array.shape}"
        )
    if array.dtype.kind not in "biu":
        raise ValueError(f"`{name}` must be integers. Received: {name}.dtype={array.dtype}")
    return array


declare(
    clustering_accuracy,
    scores=[
        Score("accuracy", "accuracy", random=one_in_values, one_to_one=1, tolerance=0.02),
        Score("error", "error", better="lower", one_to_one=0),
    ],
)
