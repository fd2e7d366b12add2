"""``prn-bench doctor``: which known mistake explains the error of a prediction file."""

from prn_bench.diagnose.engine import DEFAULT, diagnose
from prn_bench.diagnose.report import Change, Diagnosis, Mistake, Other

__all__ = ["DEFAULT", "Change", "Diagnosis", "Mistake", "Other", "diagnose"]
