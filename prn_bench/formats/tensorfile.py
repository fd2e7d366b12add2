"""Named tensors in a safetensors file, which holds numbers and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, first_few
from prn_bench.formats import sniff
from prn_bench.outfile import atomic_path

#: Type in the file and shape of a tensor.
Kind = tuple[str, tuple[int, ...]]
TYPES = {"F32": np.float32, "I64": np.int64}


def write_tensors(path: str | Path, tensors: Mapping[str, NDArray]) -> None:
    """Write tensors of float32, float16 and int64; the file gets its name only when whole.

    Raises
    ------
    BenchError
        Of :func:`prn_bench.outfile.atomic_path`.
    """
    from safetensors.numpy import save

    content = save({name: np.asarray(values, order="C") for name, values in tensors.items()})
    with atomic_path(path) as part:
        part.write_bytes(content)


def read_tensors(
    path: str | Path, wanted: Mapping[str, Kind], *, half: bool = False
) -> dict[str, NDArray]:
    """Read the tensors that a file must hold: these names, types and shapes, and no others.

    Parameters
    ----------
    path : path
    wanted : dict
        Such as ``{"first.weight": ("F32", (16, 3, 4, 4))}``; compared before any number is read.
    half : bool
        Take float16 for float32 too, and give float32.

    Raises
    ------
    BenchError
        ``damaged-weights``, ``wrong-weights``, ``not-finite``, and the usual faults of downloads.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with safe_open(path, "np") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            found = {n: (one.get_dtype(), tuple(one.get_shape())) for n, one in slices.items()}
            if half:
                found = {
                    n: ("F32" if one == "F16" else one, shape) for n, (one, shape) in found.items()
                }
            _refuse_difference(path, found, wanted)
            tensors = {
                n: file.get_tensor(n).astype(TYPES[kind], copy=False)
                for n, (kind, _) in wanted.items()
            }
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from None
    broken = [name for name, values in tensors.items() if not np.isfinite(values).all()]
    if broken:
        raise BenchError(
            "the weights are not all numbers",
            code="not-finite",
            where=path,
            found=f"infinities or NaN in {first_few(broken)}",
            remedy="Take an earlier checkpoint of this training.",
        )
    return tensors


def _damaged(path: Path, error: Exception) -> BenchError:
    kind = sniff.kind_of(path) if path.is_file() else sniff.Kind("nothing")
    if kind.code is not None:
        return sniff.fault(kind.code, path, expected="safetensors")
    return BenchError(
        f"the weights cannot be read ({error})",
        code="damaged-weights",
        where=path,
        expected="safetensors",
        found=kind.words,
        remedy="Copy or write it again.",
    )


def _refuse_difference(path: Path, found: Mapping[str, Kind], wanted: Mapping[str, Kind]) -> None:
    missing, other = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    changed = {name for name in wanted.keys() & found.keys() if wanted[name] != found[name]}
    if not (missing or other or changed):
        return
    name = min(missing or other or changed)
    raise BenchError(
        "these are the weights of another network",
        code="wrong-weights",
        where=path,
        expected=_words(name, wanted),
        found=_words(name, found),
        remedy="Keep weights and config of a checkpoint together.",
    )


def _words(name: str, kinds: Mapping[str, Kind]) -> str:
    return f"{name} {kinds[name][0]} {kinds[name][1]}" if name in kinds else f"no {name}"
