"""Named parts of the ICT face, from its vertex ranges and its landmarks on the mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel.ict.parts import Parts

Mask = NDArray[np.bool_]
EYES = (range(36, 42), range(42, 48))
LIPS = range(48, 60)


def regions(
    points: NDArray[np.float64], rows: NDArray[np.int64], landmarks: NDArray[np.int32], parts: Parts
) -> dict[str, Mask]:
    """Parts of the face, (v,) bool each.

    Parameters
    ----------
    points : (v, 3) float64
        The mean, any unit; lengths are taken relative to it.
    rows : (v,) int64
        Rows of the whole mesh; the wall of the mouth has the number of its vertices.
    landmarks : (68,) int32

    Returns
    -------
    dict
        ``face`` is ICT's narrow face area with the eyeballs, ``eyes`` leaves out the brows;
        ``eyeballs`` and ``mouth_inside`` are no skin.
    """
    inside = ((rows >= parts.skin) & (rows < parts.mouth)) | (rows == parts.n_vertices)
    eyeballs = (rows >= parts.mouth) & ~inside
    face = (rows < parts.narrow_face) | eyeballs
    marks = points[landmarks]
    unit = marks[16, 0] - marks[0, 0]  # width of the face at the eyes
    away = np.abs(points[:, 0] - marks[27, 0]) / unit
    height = (points[:, 1] - marks[27, 1]) / unit
    depth = (points[:, 2] - marks[[0, 16], 2].mean()) / unit
    rest = ~(face | inside)
    ears = (
        rest & (away > 0.445) & (height > -0.4) & (height < 0.015) & (np.abs(depth + 0.25) < 0.13)
    )
    scalp = rest & ~ears & ((height > 0) | ((height > -0.48) & (depth < -0.28)))
    return {
        "face": face,
        "nose": face & ~eyeballs & _nose(points, marks, away),
        "ears": ears,
        "scalp": scalp,
        "neck": rest & ~ears & ~scalp & (height < -0.4),
        "eyeballs": eyeballs,
        "mouth_inside": inside,
        **_front(points, face, eyeballs, marks, unit),
    }


def _nose(points: NDArray[np.float64], marks: NDArray[np.float64], away: NDArray) -> Mask:
    """Between the eyes narrow, at the wings wide."""
    down = (marks[27, 1] - points[:, 1]) / (marks[27, 1] - marks[33, 1])
    wide = 0.05 + 0.085 * np.clip(down, 0, 1)
    return np.asarray((down > 0) & (down < 1.06) & (away < wide))


def _front(
    points: NDArray[np.float64], face: Mask, eyeballs: Mask, marks: NDArray[np.float64], unit: float
) -> dict[str, Mask]:
    height = points[:, 1]
    away = np.abs(points[:, 0] - marks[27, 0])
    mouth = face & _ellipse(points, marks[list(LIPS)], (1.25, 1.6))
    eyes = [_ellipse(points, marks[list(eye)], (1.5, 3.2)) for eye in EYES]
    cheeks = face & (away > 0.12 * unit) & (height < marks[29, 1]) & (height > marks[57, 1])
    return {
        "eyes": (face & (eyes[0] | eyes[1])) | eyeballs,
        "mouth": mouth,
        "cheeks": cheeks & ~mouth,
        "forehead": face & (height > marks[17:27, 1].max() + 0.03 * unit),
        "chin": face & (height < marks[57, 1] - 0.06 * unit) & (away < 0.2 * unit),
    }


def _ellipse(
    points: NDArray[np.float64], around: NDArray[np.float64], scale: tuple[float, float]
) -> Mask:
    """Points, seen from the front, within an ellipse around some others' box, scaled."""
    low, high = around[:, :2].min(0), around[:, :2].max(0)
    offset = (points[:, :2] - (low + high) / 2) / ((high - low) / 2 * scale)
    return np.asarray((offset**2).sum(1) < 1)
