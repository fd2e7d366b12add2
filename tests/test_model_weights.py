"""Checkpoints: what is saved is loaded, and a wrong, damaged or hostile one is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the reference network needs PyTorch")
from safetensors.numpy import load_file, save_file  # noqa: E402

from prn_bench.errors import BenchError  # noqa: E402
from prn_bench.training.checkpoint import ModelConfig  # noqa: E402
from reference_model.network import PRN  # noqa: E402
from reference_model.weights import load_checkpoint, save_checkpoint  # noqa: E402

CONFIG = ModelConfig(1, "toy-256", "ours", side_px=64, training={"seed": 3, "steps": [1, 2]})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good checkpoint."""
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "model", PRN(1), CONFIG)
    return tmp_path / "model"


def refusal(folder: Path) -> BenchError:
    """The error that loading raises."""
    with pytest.raises(BenchError) as error:
        load_checkpoint(folder)
    return error.value


def test_round_trip(tmp_path: Path) -> None:
    """Every bit comes back, whatever the memory format, and the network is ready to evaluate."""
    network = PRN(2).to(memory_format=torch.channels_last)
    network(torch.rand(2, 3, 32, 32))  # moves the running statistics
    config = ModelConfig(2, "toy-256", "ours")
    for _ in range(2):  # the second time it replaces the first
        save_checkpoint(tmp_path / "model", network, config)
    loaded, found = load_checkpoint(tmp_path / "model")
    assert found == config
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "config.json",
        "model.safetensors",
    }


def test_what_it_says_of_itself(folder: Path) -> None:
    """The config is plain JSON with its format, and keeps licence and provenance."""
    content = json.loads((folder / "config.json").read_text())
    assert content["format"] == "prn-bench/checkpoint"
    assert load_checkpoint(folder)[1] == CONFIG


def test_saving_where_one_cannot(folder: Path) -> None:
    """A file of that name, no folder above, and a config of another network."""
    for place, code in (
        (folder / "config.json", "not-a-folder"),
        (folder / "a" / "b", "no-such-folder"),
    ):
        with pytest.raises(BenchError) as error:
            save_checkpoint(place, PRN(1), CONFIG)
        assert error.value.code == code
    with pytest.raises(ValueError, match="channels"):
        save_checkpoint(folder, PRN(2), CONFIG)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format": "other"}, "bad-config"),
        ({"format_version": 2}, "newer-format"),
        ({"base_channels": 10**12}, "bad-config"),
        ({"base_channels": True}, "bad-config"),
        ({"base_channels": -1}, "bad-config"),
        ({"side_px": 100}, "bad-config"),
        ({"uv_layout": None}, "bad-config"),
        ({"licence": 3}, "bad-config"),
        ({"training": []}, "bad-config"),
        ({"base_channels": 2}, "wrong-weights"),
    ],
)
def test_a_wrong_config(folder: Path, change: dict[str, Any], code: str) -> None:
    """Each field out of range is named, before anything of its size is made."""
    content = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(content))
    error = refusal(folder)
    assert error.code == code
    if code == "bad-config":
        assert next(iter(change)) in str(error)


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"\x80\x04.", "bad-config"), (b"[" * 100_000, "bad-config"), (b"1", "bad-config")],
)
def test_a_config_that_is_none(folder: Path, content: bytes, code: str) -> None:
    """A pickle, endless brackets, and JSON of another kind."""
    (folder / "config.json").write_bytes(content)
    assert refusal(folder).code == "bad-config"


def test_half_precision(folder: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    """Half the bytes of the kernels; loaded, it is float32 and within a thousandth of each weight."""
    half = folder.parent / "half"
    code, out, _ = run("export", folder, "--half", half)
    assert code == 0
    assert "differs by" in out
    network, config = load_checkpoint(folder)
    found, same = load_checkpoint(half)
    assert same == config
    kernels = sum(one.numel() for one in network.parameters() if one.ndim == 4)
    sizes = [(one / "model.safetensors").stat().st_size for one in (folder, half)]
    assert sizes[0] - sizes[1] == pytest.approx(2 * kernels, rel=0.01)
    for name, values in network.state_dict().items():
        assert found.state_dict()[name].dtype == values.dtype
        limit = 2**-11 * values.abs() + 2**-24 if values.ndim == 4 else 0 * values
        assert bool(((found.state_dict()[name] - values).abs() <= limit).all()), name
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert float((found(images) - network(images)).abs().max()) < 0.5


def test_half_precision_that_cannot_be(folder: Path, run: Callable[..., Any]) -> None:
    """A kernel beyond 65,504, the checkpoint itself as the place, and nothing to write."""
    assert run("export", folder, "--half", folder)[0] == 2
    assert run("export", folder)[0] == 2
    network, config = load_checkpoint(folder)
    network.first.conv.weight.data[0, 0, 0, 0] = 1e5
    with pytest.raises(BenchError, match=r"first.conv.weight.*found 1e\+05") as error:
        save_checkpoint(folder, network, config, half=True)
    assert error.value.code == "not-half"


def test_not_a_checkpoint(folder: Path, tmp_path: Path) -> None:
    """No folder, a file, and a folder without weights."""
    (folder / "model.safetensors").rename(tmp_path / "x.safetensors")
    for place in (tmp_path / "nowhere", tmp_path / "x.safetensors", folder):
        assert refusal(place).code == "not-a-checkpoint"


def rewritten(folder: Path, change: Callable[[dict[str, np.ndarray]], object]) -> Path:
    """The checkpoint with other tensors."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda t: t.pop("first.norm.bias"), "wrong-weights"),
        (lambda t: t.update(extra=np.zeros(1, np.float32)), "wrong-weights"),
        (lambda t: t.update({"first.norm.bias": np.zeros(2, np.float32)}), "wrong-weights"),
        (lambda t: t.update({"first.norm.bias": np.zeros(1, np.float64)}), "wrong-weights"),
        (lambda t: t.update({"first.norm.bias": np.full(1, np.nan, np.float32)}), "not-finite"),
    ],
)
def test_wrong_tensors(folder: Path, change: Callable[..., object], code: str) -> None:
    """A tensor missing, too many, of another shape or type, or not finite: named in the message."""
    error = refusal(rewritten(folder, change))
    assert error.code == code
    assert "first.norm.bias" in str(error) or "extra" in str(error)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x80\x02}q\x00.", "damaged-weights"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "damaged-weights"),
        (b"<!DOCTYPE html><html></html>", "html-page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git-lfs-pointer"),
        (b"", "empty-file"),
    ],
)
def test_files_that_are_no_weights(folder: Path, content: bytes, code: str) -> None:
    """A pickle, a planted size, a web page, a Git LFS pointer and nothing are told apart."""
    (folder / "model.safetensors").write_bytes(content)
    assert refusal(folder).code == code


def test_weights_cut_short(folder: Path) -> None:
    """A download that ended early is damaged."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert refusal(folder).code == "damaged-weights"
