"""What the tests of `check` share: writing predictions, and the codes that are found."""

from prn_bench.checks import check_file
from prn_bench.predictions import write_predictions


def codes(path, level=None, dataset=None):
    """Codes of the findings, sorted."""
    findings = check_file(path, dataset=dataset)
    return sorted(f.code for f in findings if level in (None, f.level))


def predict(folder, ids, points, *, frame="image", **options):
    """A prediction file in the folder."""
    write_predictions(folder / "p.npz", ids, frame=frame, landmarks=points, method="M", **options)
    return folder / "p.npz"
