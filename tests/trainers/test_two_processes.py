"""Two processes of JAX or TensorFlow train one model, as one process does."""

import json
import runpy
from pathlib import Path

import keras
import pytest
from tiny_networks import IMAGES, flat_networks

from keras_disentangle.callbacks import ExactBackup
from keras_disentangle.models import VAE

BACKEND = keras.backend.backend()
if BACKEND == "torch":
    pytest.skip("test_processes.py is about PyTorch", allow_module_level=True)

TABLE = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "distribution_table.py"))
# What a batch couples, the gradient of a gradient, and images with labels.
MODELS = ["beta_tc_vae", "gan_hessian", "conditional_gan"]


def test_two_processes_are_as_one(tmp_path):
    found = {}
    for what, count in (("first", 1), ("processes", 2)):
        TABLE["start"](BACKEND, what, count, str(tmp_path), MODELS)
        for i in range(count):
            found[what, i] = json.loads((tmp_path / f"{what}_{i}.json").read_text())
    for name in MODELS:
        one, *two = (found[key][name] for key in found)
        assert two[0] == two[1]
        assert TABLE["largest"](one["weights"], two[0]["weights"]) < 1e-5
        assert TABLE["largest"](one["logs"], two[0]["logs"]) < 1e-5


@pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX's processes resume")
def test_backups_of_several_workers_are_refused(monkeypatch, tmp_path):
    cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
    task = {"type": "worker", "index": 1}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    model = VAE(**flat_networks(3))
    model.compile("adam")
    with pytest.raises(ValueError, match="without `ExactBackup` .* Received: 2 workers"):
        model.fit(IMAGES, callbacks=[ExactBackup(tmp_path / "backup")], verbose=0)
    assert not list(tmp_path.iterdir())
