"""300W-LP: 300W faces rotated in steps of 5 degrees of yaw, each with a 3DDFA fit.

Facts this recipe rests on: between the views of one face only ``Pose_Para`` changes; ``pt2d`` and
``roi`` are those of the unrotated image in every file (2.9 to 61 px off), so they are never used: the
landmarks are the projected fit. In ``_Flip`` folders the fit was made again on the mirrored image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prn_bench.formats.matfile import read_mat
from prn_bench.recipes.annotation import (
    Annotation,
    Companions,
    SampleFiles,
    pair_members,
    read_fit,
    wide_angle_findings,
)
from prn_bench.recipes.rawsource import RawSource

FIELDS = ("pt2d", "Pose_Para", "Shape_Para", "Exp_Para")
SETS = ("AFW", "HELEN", "IBUG", "LFPW")
FOLDERS = (*SETS, *(f"{name}_Flip" for name in SETS))


def find(source: RawSource) -> list[SampleFiles]:
    """Image and .mat pairs of the sets and their flips; ``Code`` and ``landmarks`` are passed over.

    The id is the folder and the name, such as ``AFW_Flip/AFW_134212_1_0``: a flip shares its name.
    """
    inside = []
    for name in source.names:
        parents = name.split("/")[:-1]
        if (
            parents
            and parents[-1] in FOLDERS
            and "landmarks" not in parents
            and "Code" not in parents
        ):
            inside.append(name)
    return pair_members(inside, with_folder=True)


def read(source: RawSource, sample: SampleFiles) -> Annotation:
    """One sample's fit; the stale points only for comparison."""
    where = source.where(sample.annotation)
    fields = read_mat(source.read(sample.annotation), where, FIELDS)
    points = np.asarray(fields["pt2d"], np.float64)
    fit = read_fit(fields, where)
    return Annotation(
        fit,
        untrusted=points.T - 1.0 if points.shape == (2, 68) else None,
        findings=wide_angle_findings(fit, sample.sample_id),
    )


def companions(source: RawSource, samples: Sequence[SampleFiles]) -> Companions:
    """300W-LP has no arrays of the whole set."""
    return Companions()
