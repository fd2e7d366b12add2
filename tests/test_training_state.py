"""The state and the journal of a training, without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from fakes import FakeDataset  # noqa: E402

from prn_bench.errors import BenchError  # noqa: E402
from prn_bench.training.devices import Group, room  # noqa: E402
from prn_bench.training.folder import STATE, identity, read_log  # noqa: E402
from prn_bench.training.journal import Journal, Step  # noqa: E402
from prn_bench.training.state import (  # noqa: E402
    optimiser_tensors,
    prepare_state,
    read_state,
    resume,
    write_state,
)

ALONE = Group(0, 1, torch.device("cpu"))


def test_a_prepared_optimiser_steps_like_any(tmp_path: Path) -> None:
    """Zeros made beforehand change nothing, and have names; what was written is taken up in place."""
    weights = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    adams = [torch.optim.Adam([one], lr=0.1, fused=True) for one in weights]
    prepare_state(adams[0], "exp_avg", "exp_avg_sq", counter="step")
    tensors = optimiser_tensors("adam", adams[0])
    assert set(tensors) == {"adam/0/exp_avg", "adam/0/exp_avg_sq", "adam/0/step"}
    for weight, adam in zip(weights, adams, strict=True):
        weight.grad = torch.tensor([1.0, 2.0, -3.0])
        adam.step()
    assert torch.equal(*weights)
    assert tensors["adam/0/step"] == 1
    write_state(tmp_path / STATE, tensors)
    kept = {name: one.clone() for name, one in tensors.items()}
    for one in tensors.values():
        one.zero_()
    read_state(tmp_path / STATE, tensors)
    assert all(torch.equal(kept[name], one) for name, one in tensors.items())


def test_resume_gives_the_step(tmp_path: Path) -> None:
    """Step 0 in an empty folder, then what was written; another identity is refused."""
    one = identity(FakeDataset({}), {"seed": 0})
    tensors = {"done": torch.tensor(0)}
    assert resume(tmp_path, one, tensors, ALONE) == 0
    write_state(tmp_path / STATE, {"done": torch.tensor(7)})
    assert resume(tmp_path, one, tensors, ALONE) == 7
    with pytest.raises(BenchError, match="seed 0, now 1"):
        resume(tmp_path, identity(FakeDataset({}), {"seed": 1}), tensors, ALONE)


def journal(folder: Path) -> Journal:
    """With two steps of two samples each, of losses 1 and 3."""
    found = Journal(FakeDataset({}), np.array(list("abcd"), object), folder, ALONE)
    for rows, loss in (((0, 1), 1.0), ((2, 3), 3.0)):
        found.add(Step(torch.tensor(rows), torch.tensor(loss), torch.tensor([True, True])))
    return found


def test_a_line_is_the_mean_of_its_steps(tmp_path: Path) -> None:
    """Mean loss of 1 and 3; a process that is not the first writes nothing."""
    found = journal(tmp_path).close(2, torch.tensor(5.0), 2)
    assert (found["loss"], found["gradient_norm"]) == (2, 5)
    assert found["images_per_s"] > 0
    journal(tmp_path).write(epoch=0, step=2, loss=2.0)
    second = Group(1, 2, torch.device("cpu"))
    Journal(FakeDataset({}), np.array([], object), tmp_path, second).write(epoch=0, step=3)
    assert read_log(tmp_path) == [{"epoch": 0, "step": 2, "loss": 2.0}]


@pytest.mark.parametrize("norm", [0.0, np.nan, np.inf])
def test_gradients_of_no_use_are_refused(tmp_path: Path, norm: float) -> None:
    """All samples of the last step are named."""
    with pytest.raises(BenchError, match="c, d") as error:
        journal(tmp_path).close(2, torch.tensor(norm), 2)
    assert error.value.code == "not-finite"


def test_room_is_a_file_without_a_name(tmp_path: Path) -> None:
    """On the CPU: it holds what is written, and nothing is seen in the folder."""
    found = room((2, 3), torch.float32, ALONE.device, tmp_path)
    found[:] = 4
    assert found.sum() == 24
    assert list(tmp_path.iterdir()) == []
