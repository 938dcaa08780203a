"""Two processes of PyTorch train one model, as one process does on the joined batch."""

import json
import os
import re
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("Keras itself distributes on other backends", allow_module_level=True)

import process_worker as worker


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, worker.__file__, str(rank), "2", str(port), str(folder)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for run in started:
            _, errors = run.communicate(timeout=300)
            assert run.returncode == 0, errors
    finally:
        for run in started:
            run.kill()
    return [json.loads((folder / f"found_{rank}.json").read_text()) for rank in range(2)], folder


@pytest.fixture
def runs(found):
    return found[0]


@pytest.mark.parametrize("name", [*worker.BUILDERS, *worker.NORMALISED])
def test_all_that_is_learnt_is_the_same_in_both_processes(runs, name):
    first, second = (run["models"][name] for run in runs)
    assert first == second
    assert {len(values) for values in first["logs"].values()} == {10}


@pytest.mark.parametrize("name", worker.BUILDERS)
def test_two_processes_equal_one(runs, name):
    one, two = worker.ten_steps(name), runs[0]["models"][name]
    for term, values in one["logs"].items():
        np.testing.assert_allclose(two["logs"][term], values, rtol=1e-5, atol=1e-6, err_msg=term)
    for name, a, b in zip(one["names"], one["weights"], two["weights"], strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5 * np.max(np.abs(a)), err_msg=name)


@pytest.mark.parametrize("name", ["vae_gaussian", "wgan_gp"])
def test_two_processes_do_not_equal_one_of_them(runs, name):
    alone = worker.ten_steps(name, 0, 2)
    pairs = zip(alone["weights"], runs[0]["models"][name]["weights"], strict=True)
    assert max(np.max(np.abs(np.subtract(a, b))) for a, b in pairs) > 1e-4


def test_moving_averages_are_those_of_both(runs):
    both, alone = runs[0]["models"]["normalised"], worker.ten_steps("normalised", 0, 2)
    for name, value, other in zip(both["names"], both["weights"], alone["weights"], strict=True):
        assert not name.startswith("moving") or value != other


def test_validation_is_of_both(runs):
    one = worker.joined_validation()
    assert runs[0]["validation"] == runs[1]["validation"]
    for term, values in runs[0]["validation"].items():
        np.testing.assert_allclose(values, one[term], rtol=1e-5, err_msg=term)


def test_one_process_evaluates_alone(runs):
    assert runs[0]["alone"]["loss"] > 0 and runs[1]["alone"] == "nothing"


def test_train_on_batch(runs):
    assert runs[0]["batches"] == runs[1]["batches"]


def test_gradients_through_what_was_gathered(runs):
    import torch

    x = torch.arange(1.0, 9.0)[:, None].requires_grad_()
    value = ((x.sum() ** 3) * x).sum()
    (first,) = torch.autograd.grad(value, x, create_graph=True)
    (second,) = torch.autograd.grad((first**2).sum(), x)
    assert sum(run["gathered"][0] for run in runs) == value.item()
    for place, expected in ((1, first), (2, second)):
        joined = np.concatenate([run["gathered"][place] for run in runs])
        np.testing.assert_allclose(joined, expected.detach().numpy(), rtol=1e-6)


def test_resuming_is_exact_and_one_process_writes(found):
    runs, folder = found
    assert [run["resumed"]["same"] for run in runs] == [True, True]
    assert (folder / "pictures_0").is_dir() and not (folder / "pictures_1").exists()


def test_an_application_trains_as_in_one_process(runs, tmp_path):
    one, (first, second) = worker.application(tmp_path), (run["application"] for run in runs)
    assert first["weights"] == second["weights"] and first["history"] == second["history"]
    for a, b in zip(one["weights"], first["weights"], strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)
    kinds = [{re.sub(r"events.*", "events", file) for file in run["files"]} for run in (one, first)]
    assert kinds[0] == kinds[1] and len(one["files"]) == len(first["files"])


@pytest.mark.parametrize(
    "mistake, text",
    {
        "nan": "NaN or infinity in `discriminator_loss`.* at training step 2",
        "nan in a VAE": "NaN or infinity in `reconstruction`.* at training step 2",
        "steps": "the end of epoch 0 in process 0; .* with a batch of 4 in process 1",
        "images": "batch of 4 in process 0; a training step with a batch of 3 in process 1",
        "rows": "The size of `x` .* Received: 8 in process 0, 7 in process 1",
        "batch_size": "`batch_size` .* Received: 4 in process 0, 3 in process 1",
        "seed": "`seed` .* Received: 0 in process 0, 1 in process 1",
        "model": "The model must be the same in all processes",
        "jit": "`jit_compile` must be False",
        "stop": "the end of epoch 0 in process 1",
    }.items(),
)
def test_both_processes_are_told_of_a_mistake(runs, mistake, text):
    first, second = (run["errors"][mistake] for run in runs)
    assert first == second
    assert re.search(text, first), first


def test_the_other_process_is_told_of_an_error(runs):
    assert runs[1]["errors"]["error"] == "mine"
    assert "stopped by another process" in runs[0]["errors"]["error"]
