"""ONNX: the same numbers, any batch, one file, and nothing printed on the way."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the reference network needs PyTorch")
pytest.importorskip("onnxscript", reason="ONNX export needs prn-bench[export]")
pytest.importorskip("onnxruntime", reason="ONNX export needs prn-bench[export]")
from prn_bench.bench import torch_network  # noqa: E402
from prn_bench.bench.stopwatch import Timing  # noqa: E402
from prn_bench.errors import BenchError  # noqa: E402
from prn_bench.training import onnx_file  # noqa: E402
from reference_model import weights as export  # noqa: E402
from reference_model.network import PRN  # noqa: E402
from reference_model.predict import network_input, predict_maps  # noqa: E402
from reference_model.weights import load_checkpoint  # noqa: E402
from tests.toy_prn import toy_checkpoint  # noqa: E402

SIDE = 64


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the checkpoint ``model`` and, exported from it, ``model.onnx``."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("export")
    toy_checkpoint(folder / "model", side_px=SIDE)
    (folder / "difference").write_text(
        str(export.export_onnx(folder / "model", folder / "model.onnx"))
    )
    yield folder
    torch.set_num_threads(threads)


@pytest.mark.parametrize("batch", [1, 5])
def test_the_same_maps(model: Path, batch: int) -> None:
    """Any batch size, within 1e-4 of the sigmoid's range, from PyTorch; the figure said is right."""
    network, _ = load_checkpoint(model / "model")
    images = torch.rand(batch, 3, SIDE, SIDE)
    with torch.no_grad():
        expected = network(images).numpy()
    found = onnx_file.onnx_session(model / "model.onnx").run(None, {"images": images.numpy()})[0]
    assert found.shape == (batch, 3, SIDE, SIDE)
    assert np.abs(found - expected).max() <= 1e-4 * 281.6
    assert float((model / "difference").read_text()) <= 1e-4 * 281.6
    assert np.ptp(expected) > 1  # or agreement would mean nothing


def test_one_file(model: Path) -> None:
    """The weights are inside, and no temporary file stays."""
    assert {path.name for path in model.iterdir()} == {"model", "model.onnx", "difference"}
    assert (model / "model.onnx").stat().st_size > 4 * sum(p.numel() for p in PRN(1).parameters())


def test_a_difference_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ONNX Runtime computes something else, or NaN, there is no file."""
    copy = (model / "model.onnx").read_bytes()
    monkeypatch.setattr(onnx_file, "write_onnx", lambda network, side, path: path.write_bytes(copy))
    for difference in (1.0, np.nan):
        monkeypatch.setattr(onnx_file, "largest_difference", lambda *_, value=difference: value)
        with pytest.raises(BenchError) as error:
            export.export_onnx(model / "model", model / "other.onnx")
        assert error.value.code == "onnx-differs"
    assert not (model / "other.onnx").exists()


def test_without_onnx(
    model: Path, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command says what to install."""
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    code, _, err = run("export", model / "model", "--onnx", model / "other.onnx")
    assert code == 2
    assert "onnxscript, which is not installed" in " ".join(err.split())
    assert "prn-bench[train,export]" in err
    assert not (model / "other.onnx").exists()


def test_the_exporter_is_quiet(
    model: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    """Nothing on either stream and no warning, though the exporter has much to say."""

    def loud(*_: object, **__: object) -> None:
        warnings.warn("of the exporter", stacklevel=1)
        logging.getLogger("torch.onnx._internal").warning("of the exporter")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", loud)
        onnx_file.write_onnx(PRN(1), SIDE, model / "quiet.onnx")
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_onnx_in_the_table_of_times(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table times the exported network, and says why where it cannot."""
    copy = (model / "model.onnx").read_bytes()
    monkeypatch.setattr(
        torch_network, "write_onnx", lambda network, side, path: path.write_bytes(copy)
    )

    def no_compiler(*_: object, **__: object) -> None:
        raise RuntimeError("no C++ compiler\nand more")

    monkeypatch.setattr(torch, "compile", no_compiler)
    network, _ = load_checkpoint(model / "model")
    predict, prepare = (
        partial(predict_maps, network, side_px=SIDE),
        partial(network_input, side_px=SIDE),
    )
    rows = torch_network.time_network(network, predict, prepare, batch=2, repeats=2)
    table = {(row.stage, row.backend, row.batch): row for row in rows}
    for batch in (1, 2):
        assert table["network", "ONNX Runtime, CPU", batch].median_ms > 0
        assert table["crop to geometry", "PyTorch", batch].median_ms > 0
        skipped = table["network", "PyTorch, compiled", batch]
        assert skipped.note == "skipped: no C++ compiler"
        assert np.isnan(skipped.median_ms)
    assert len(rows) == len(table) == 12
    assert isinstance(rows[0], Timing)


def test_the_command_times_a_checkpoint(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``bench --model`` hands over the network of the checkpoint, and its way from crops to maps."""
    from prn_bench.cli import measure

    def record(network: Any, predict: Any, prepare: Any, **_: object) -> list[Timing]:
        crops = np.zeros((2, 256, 256, 3), np.uint8)
        assert network.base_channels == 1
        assert predict(crops).shape == (2, 3, 256, 256)
        assert prepare(torch.from_numpy(crops)).shape == (2, 3, SIDE, SIDE)
        return [Timing("s", "b", 1)]

    monkeypatch.setattr(torch_network, "time_network", record)
    assert len(measure._model(model / "model", print)) == 1
