import itertools

import numpy as np
import pytest

from keras_disentangle.metrics import clustering_accuracy

RNG = np.random.default_rng(0)


def test_permuted_labels_are_no_error():
    labels = RNG.integers(0, 10, 500)
    permutation = RNG.permutation(10)
    score = clustering_accuracy(permutation[labels], labels)
    assert score["accuracy"] == 1 and score["error"] == 0
    assert score["assignment"] == {int(permutation[label]): label for label in range(10)}


def test_the_best_of_all_assignments():
    clusters, labels = RNG.integers(0, 5, 60), RNG.integers(0, 5, 60)
    best = max(
        np.mean(np.array(assignment)[clusters] == labels)
        for assignment in itertools.permutations(range(5))
    )
    score = clustering_accuracy(clusters, labels)
    assert score["accuracy"] == pytest.approx(best)
    assert score["accuracy"] + score["error"] == pytest.approx(1)
    assigned = np.array([score["assignment"][cluster] for cluster in clusters.tolist()])
    assert np.mean(assigned == labels) == pytest.approx(best)


@pytest.mark.parametrize(
    "clusters, labels, accuracy, assignment",
    [
        # The larger of two clusters of one label takes it.
        ([0, 0, 0, 1, 1], [7, 7, 7, 7, 7], 3 / 5, {0: 7}),
        ([4, 4, 4, 4, 4], [7, 7, 8, 8, 8], 3 / 5, {4: 8}),
        # Taking each cluster's most frequent label would not be one to one.
        ([0, 0, 0, 1, 1, 1], [0, 0, 1, 0, 0, 1], 3 / 6, None),
        ([-1, 300, 300], [5, -2, -2], 1.0, {-1: 5, 300: -2}),
        ([True, False], [0, 1], 1.0, {True: 0, False: 1}),
    ],
)
def test_numbers_of_clusters_and_labels_may_differ(clusters, labels, accuracy, assignment):
    score = clustering_accuracy(np.array(clusters), np.array(labels))
    assert score["accuracy"] == pytest.approx(accuracy)
    assert score["error"] == pytest.approx(1 - accuracy)
    assert assignment is None or score["assignment"] == assignment


@pytest.mark.parametrize(
    "clusters, labels, message",
    [
        ([], [], r"`clusters` must be a non-empty array.* Received: clusters.shape=\(0,\)"),
        ([[1]], [1], r"`clusters` must be .* Received: clusters.shape=\(1, 1\)"),
        ([1], [[1]], r"`labels` must be .* Received: labels.shape=\(1, 1\)"),
        ([1.0], [1], "`clusters` must be integers. Received: clusters.dtype=float64"),
        ([1], ["a"], "`labels` must be an array of numbers. Received: labels="),
        ([1, 2], [1], r"one entry for each sample. Received: clusters.shape=\(2,\), .*=\(1,\)"),
    ],
)
def test_bad_input_is_named(clusters, labels, message):
    with pytest.raises(ValueError, match=message):
        clustering_accuracy(np.array(clusters), np.array(labels))
