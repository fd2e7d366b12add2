"""What the tests of `check` share: writing predictions, and the codes that are found."""

import pytest

from prn_bench.checks import check_file
from prn_bench.errors import BenchError
from prn_bench.predictions import write_predictions
from prn_bench.surface import load


def codes(path, level=None, dataset=None):
    """Codes of the findings, sorted."""
    findings = check_file(path, dataset=dataset)
    return sorted(f.code for f in findings if level in (None, f.level))


def predict(folder, ids, points, *, frame="image", **options):
    """A prediction file in the folder."""
    write_predictions(folder / "p.npz", ids, frame=frame, landmarks=points, method="M", **options)
    return folder / "p.npz"


def code_of(call, *values) -> str:
    """The code of the one message that a call must end in."""
    with pytest.raises(BenchError) as error:
        call(*values)
    assert str(error.value)
    return error.value.code


def need_open3d() -> None:
    """Skip where Open3D is not installed; it is loaded as we do, with the library that it lacks."""
    try:
        load()
    except BenchError as error:
        pytest.skip(str(error))
