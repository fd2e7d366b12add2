"""PRNet's released checkpoint: all of its variables have a place, and TensorFlow's files are read."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the reference network needs PyTorch")
from prn_bench.errors import BenchError  # noqa: E402
from prn_bench.formats import tfbundle  # noqa: E402
from prn_bench.training import prnet_weights  # noqa: E402
from reference_model.network import PRN  # noqa: E402
from reference_model.weights import import_tf, load_checkpoint  # noqa: E402

GOLDEN = Path(__file__).parent / "golden"


def released() -> dict[str, tuple[int, ...]]:
    """Names and shapes in the index of PRNet's released checkpoint."""
    lines = (GOLDEN / "tf_variables.txt").read_text().splitlines()
    pairs = [line.split(" ") for line in lines]
    return {name: tuple(map(int, shape.split(","))) if shape else () for name, shape in pairs}


def our_shapes(base_channels: int = 16) -> dict[str, tuple[int, ...]]:
    """Names and shapes of our tensors, but for the counters that TensorFlow lacks."""
    with torch.device("meta"):
        state = PRN(base_channels).state_dict()
    return {n: tuple(one.shape) for n, one in state.items() if not n.endswith("_tracked")}


def entries(shapes: dict[str, tuple[int, ...]]) -> dict[str, tfbundle.Entry]:
    """The index that declares these shapes."""
    return {name: tfbundle.Entry(shape, "<f4", 0, 1, 0, 0, 0) for name, shape in shapes.items()}


def test_every_released_variable_is_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """545 variables: 245 with one tensor of ours each, the rest Adam's; none of ours is left over."""
    monkeypatch.setattr(tfbundle, "read_index", lambda _: entries(released()))
    rows = prnet_weights.table("x.index", our_shapes())
    slots = {name for name in released() if "Adam" in name or "_power" in name}
    assert len(released()) == 545
    assert {row.tf_name for row in rows} == set(released()) - slots
    assert len({row.name for row in rows}) == len(rows) == 245
    with torch.device("meta"):
        state = PRN().state_dict()
    left = set(state) - {row.name for row in rows}
    assert {name.rsplit(".", 1)[1] for name in left} == {"num_batches_tracked"}
    for row in rows:
        assert row.shape == tuple(state[row.name].shape)
        assert np.prod(row.shape) == np.prod(row.tf_shape)
    total = sum(np.prod(r.shape) for r in rows if "moving" not in r.tf_name)
    assert total == 13_353_618


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first.conv.weight", "Conv/weights"),
        ("blocks.0.reduce.norm.bias", "resBlock/Conv/BatchNorm/beta"),
        ("blocks.9.spatial.conv.weight", "resBlock_9/Conv_1/weights"),
        ("blocks.4.shortcut.weight", "resBlock_4/shortcut/weights"),
        ("blocks.4.norm.running_var", "resBlock_4/BatchNorm/moving_variance"),
        ("decoder.0.conv.weight", "Conv2d_transpose/weights"),
        ("output.2.norm.weight", "Conv2d_transpose_16/BatchNorm/gamma"),
    ],
)
def test_names(name: str, expected: str) -> None:
    """The name in TensorFlow of one tensor of each kind."""
    assert prnet_weights.tf_name(name) == f"resfcn256/{expected}"


def test_import_keeps_every_value(tmp_path: Path) -> None:
    """A checkpoint that TensorFlow wrote: values in place, transposed kernels turned, terms noted."""
    import_tf(GOLDEN / "tf_network", tmp_path / "model")
    network, config = load_checkpoint(tmp_path / "model")
    index = tfbundle.read_index(GOLDEN / "tf_network")
    state = network.state_dict()
    for row in prnet_weights.table(GOLDEN / "tf_network.index", our_shapes(1)):
        values = tfbundle.read_tensor(GOLDEN / "tf_network", index[row.tf_name])
        assert state[row.name].flatten().sort()[0].equal(torch.from_numpy(np.sort(values.ravel())))
        if values.ndim == 4:
            k, m, a, b = (n - 1 for n in values.shape)
            assert float(state[row.name][b, a, k, m]) == values[k, m, a, b]
    assert (config.base_channels, config.side_px, config.uv_layout) == (1, 256, "bfm-256")
    assert "research only" in config.licence


@pytest.mark.parametrize("change", ["missing", "other", "shape", "scope"])
def test_other_networks_are_refused(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable too few, too many, of another shape, or another network: the message names it."""
    shapes, name = released(), "resfcn256/resBlock_3/Conv_2/weights"
    if change == "missing":
        del shapes[name]
    elif change == "other":
        name = "resfcn256/extra/weights"
        shapes[name] = (3,)
    elif change == "shape":
        shapes[name] = (1, 1, 7, 64)
    else:
        shapes, name = {f"other/{key}": shape for key, shape in shapes.items()}, "resfcn256/Conv"
    monkeypatch.setattr(tfbundle, "read_index", lambda _: entries(shapes))
    with pytest.raises(BenchError) as error:
        import_tf("x.index", "nowhere")
    assert error.value.code == "wrong-tf-checkpoint"
    assert name in str(error.value)


def test_a_failed_import_leaves_nothing(tmp_path: Path) -> None:
    """Without its data file a checkpoint cannot be imported, and no folder is made."""
    shutil.copy(GOLDEN / "tf_network.index", tmp_path)
    with pytest.raises(BenchError) as error:
        import_tf(tmp_path / "tf_network.index", tmp_path / "model")
    assert error.value.code == "no-such-file"
    assert not (tmp_path / "model").exists()
