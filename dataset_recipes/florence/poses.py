"""Which poses are rendered: the published sets, as named variants.

Angles keep the numbers of their source, so that names can be compared. Signs here: the head is first
pitched, then turned about the vertical axis of the picture, then rolled, ``Rz(roll) Ry(yaw) Rx(up)``, with
the matrices of the 3DDFA release (``geometry.rotation_matrix``): ``up`` raises the face, a positive
yaw turns the nose to the left of the picture. ``up = level + sign * pitch``.

Sources: file names in the VRN author's evaluation data (921 renderings of 51 subjects, numbers 00 to
50); PRNet, section 4.4; renderMICC.py of SADRNet and SDRN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.geometry import rotation_matrix

YAWS = (-80, -40, 0, 40, 80)
ROLLS = (-30, -15, 0, 15, 30)
VRN_PITCHES = (-15, -20, -25)
PAPER_PITCHES = (-15, 20, 25)
SADRNET_PITCHES = (-15, 0, 15, 30)

#: Yaw of VRN's five extra renderings (pitch -25, five rolls) of its subjects 00 to 30.
VRN_EXTRA_YAW = (
    *(14, 20, -17, -1, -11, -9, -11, -16, 12, -7, -18, 2, -4, 5, 14, -5),
    *(0, -6, -18, -5, 12, 2, 4, -18, 4, 5, -2, 6, -9, 11, 7),
)
#: VRN's files end with a single extra rendering of its subject 31: yaw 1, roll -30.
VRN_STRAY = (31, 1, -30)

# Heads of the set look down by 20 degrees (the author of VRN) or 23 to 32 (six landmark files fitted to
# the mean BFM face). VRN's pitches then come to +5, 0, -5 when taken to raise the face, which is what
# the thesis says elsewhere: so no levelling, and a negative pitch raises.
PAPER_LEVEL_DEG = 20.0
SADRNET_LEVEL_DEG = 22.5
PERSPECTIVE_FOV_DEG = 60.0  # as the re-implementations that render in perspective
PERSPECTIVE = "-perspective"


@dataclass(frozen=True)
class Pose:
    """Pitch, yaw and roll in whole degrees, as the source of the variant names them.

    VRN's regular renderings have no roll in their names, its extra ones have (0 too): one of the extra
    ones repeats a regular pose, and both exist.
    """

    pitch: int
    yaw: int
    roll: int | None = None

    @property
    def name(self) -> str:
        """Such as ``p-15_y+40``, or ``p-25_y-07_r+15``."""
        rolled = "" if self.roll is None else f"_r{self.roll:+03d}"
        return f"p{self.pitch:+03d}_y{self.yaw:+03d}{rolled}"


@dataclass(frozen=True)
class Variant:
    """A published set of renderings.

    Attributes
    ----------
    name : str
    poses : callable
        From the subject's number (1 to 53) to its poses.
    level_deg : float
        How far every head is raised before its pitch.
    pitch_sign : int
        +1 where a positive pitch of the source raises the face.
    fov_deg : float or None
        Field of view of the perspective camera; None is orthographic.
    """

    name: str
    poses: Callable[[int], tuple[Pose, ...]]
    level_deg: float
    pitch_sign: int
    fov_deg: float | None = None

    def rotation(self, pose: Pose) -> NDArray[np.float64]:
        """(3, 3) from the scan's axes (x to the subject's left, y up, z out) to the camera's."""
        up = self.level_deg + self.pitch_sign * pose.pitch
        pitched = _rotation(up, 0, 0)
        return _rotation(0, 0, pose.roll or 0) @ _rotation(0, pose.yaw, 0) @ pitched


def variant(name: str) -> Variant:
    """A variant by name; with ``-perspective`` after it, the same poses by a perspective camera.

    Raises
    ------
    BenchError
        ``unknown-variant``.
    """
    base = name.removesuffix(PERSPECTIVE)
    fov_deg = PERSPECTIVE_FOV_DEG if base != name else None
    if base == "vrn":
        return Variant(name, vrn_poses, 0.0, -1, fov_deg)
    if base == "paper":
        return Variant(name, _grid(PAPER_PITCHES), PAPER_LEVEL_DEG, 1, fov_deg)
    if base == "sadrnet":
        return Variant(name, _grid(SADRNET_PITCHES), SADRNET_LEVEL_DEG, 1, fov_deg)
    raise BenchError(
        f"there is no variant {name!r} of the Florence renderings",
        code="unknown-variant",
        expected=f"vrn, paper or sadrnet, alone or with {PERSPECTIVE} after it",
    )


def vrn_poses(subject: int) -> tuple[Pose, ...]:
    """The 15 poses of every subject, and the extra ones of VRN's first 32.

    VRN numbers its subjects from 00 and the dataset from 01; which is which is not published, and is
    taken to be the same order.
    """
    poses = [Pose(pitch, yaw) for pitch in VRN_PITCHES for yaw in YAWS]
    number = subject - 1
    if 0 <= number < len(VRN_EXTRA_YAW):
        poses += [Pose(-25, VRN_EXTRA_YAW[number], roll) for roll in ROLLS]
    if number == VRN_STRAY[0]:
        poses.append(Pose(-25, *VRN_STRAY[1:]))
    return tuple(poses)


def _grid(pitches: tuple[int, ...]) -> Callable[[int], tuple[Pose, ...]]:
    poses = tuple(Pose(pitch, yaw) for pitch in pitches for yaw in YAWS)
    return lambda _subject: poses


def _rotation(pitch_deg: float, yaw_deg: float, roll_deg: float) -> NDArray[np.float64]:
    angles = (np.asarray(np.radians(angle)) for angle in (pitch_deg, yaw_deg, roll_deg))
    return rotation_matrix(*angles)
