"""Two processes with half a batch each give the gradients of one with the whole batch."""

import os
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from prn_bench.errors import BenchError  # noqa: E402
from reference_model import train as training  # noqa: E402
from reference_model.config import TrainConfig  # noqa: E402
from reference_model.distributed import GlobalBatchNorm, Group, process_group  # noqa: E402

TWO = Group(0, 2, torch.device("cpu"))

ONE_STEP = """
import sys
import torch
from safetensors.torch import save_file
from reference_model.distributed import parallel, process_group
from reference_model.loss import weighted_loss
from reference_model.network import PRN

torch.set_num_threads(1)
torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double  # the network's last layers and the loss ask for float32
network = PRN(2)
chance = torch.Generator().manual_seed(1)
images = torch.rand(4, 3, 64, 64, generator=chance)
maps = torch.rand(4, 3, 64, 64, generator=chance) * 256
with process_group("cpu") as group:
    model = parallel(network.train(), group)
    mine = slice(group.rank, None, group.size)
    weighted_loss(model(images[mine]), maps[mine], torch.ones(64, 64)).backward()
    if group.rank == 0:
        found = {name: weight.grad for name, weight in network.named_parameters()}
        save_file(found | dict(network.named_buffers()), sys.argv[1])
"""


@pytest.fixture(scope="module")
def gradients(tmp_path_factory):
    """Gradients and running statistics after one step, of one process and of two under torchrun."""
    from safetensors.numpy import load_file

    folder = tmp_path_factory.mktemp("step")
    (folder / "step.py").write_text(ONE_STEP)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    runs = [
        subprocess.Popen(
            [sys.executable, *words, folder / "step.py", folder / f"{n}.safetensors"],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n, words in ((1, []), (2, torchrun))
    ]
    for run in runs:
        words = run.communicate(timeout=300)[1]
        assert run.returncode == 0, words
    return [load_file(folder / f"{n}.safetensors") for n in (1, 2)]


def test_gradients_are_those_of_the_whole_batch(gradients) -> None:
    """Every parameter, and the running statistics of every layer.

    In float64: in float32 the batch statistics of so small a batch enlarge the rounding of a sum in
    another order to 5e-5 of the largest gradient, and a wrong factor could hide in that.
    """
    alone, together = gradients
    assert alone.keys() == together.keys()
    for name, expected in alone.items():
        assert np.abs(together[name] - expected).max() <= 1e-9 * max(1, np.abs(expected).max()), (
            name
        )


def test_the_cpu_layer_is_batch_normalisation(monkeypatch) -> None:
    """With one process its outputs and running statistics are those of torch's own."""
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 1)
    monkeypatch.setattr("torch.distributed.all_reduce", lambda values: None)
    values = torch.rand(3, 5, 4, 4) * 10 + 3
    plain, ours = torch.nn.BatchNorm2d(5, momentum=0.3), GlobalBatchNorm(5, momentum=0.3)
    assert torch.allclose(ours(values), plain(values), atol=1e-5)
    for name, buffer in plain.named_buffers():
        assert torch.allclose(ours.get_buffer(name), buffer), name
    assert torch.equal(ours.eval()(values), ours(values))
    assert torch.allclose(ours(values), plain.eval()(values), atol=1e-5)


def test_one_process_needs_no_group() -> None:
    """Without torchrun there is a group of one, which has nothing to wait for."""
    with process_group("cpu") as group:
        assert (group.rank, group.size, group.device.type) == (0, 1, "cpu")
        assert group.mean(torch.tensor(2.0)) == 2


def test_a_batch_is_shared_evenly(monkeypatch, datasets, tmp_path) -> None:
    """Two processes cannot share a batch of three."""
    monkeypatch.setattr(training, "process_group", lambda device: nullcontext(TWO))
    config = TrainConfig(batch=3, side_px=32, base_channels=1)
    with pytest.raises(BenchError, match="2 processes, batch 3"):
        training.train(config, datasets["300w-lp"], tmp_path, device="cpu", say=print)
