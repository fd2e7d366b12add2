"""Toy output files of every method that has a reader, made by code from known points.

Each writer follows the method's own script, and takes the known points of one sample in the frame that
the predictions end up in: 0-based pixels, y down. Nothing here uses what it is to test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

HEIGHT, WIDTH = 400, 320
NAMES = ("image00002", "image00004")
SIZES = {"prnet": 43867, "bfm": 53215, "noneck": 38365, "flame": 5023, "few": 40}
FACES = np.array([[0, 1, 2], [2, 1, 3], [5, 6, 7]])


class ToyDataset:
    """What readers use of a dataset."""

    path = Path("toy.h5")

    def __init__(self, names=NAMES, size=(HEIGHT, WIDTH)) -> None:
        self.sample_ids = np.array(names, object)
        self._sizes = np.tile(np.array(size, np.int32), (len(names), 1))

    def __len__(self) -> int:
        return len(self.sample_ids)

    def read(self, name: str) -> np.ndarray:
        return {"image_size": self._sizes}[name]


def known_points(name: str, *, spoilt: bool = False) -> dict[str, np.ndarray]:
    """Known answers for one sample: points of every kind, in pixels; perhaps with one NaN each."""
    rng = np.random.default_rng(sum(map(ord, name)))
    sizes = {"landmarks": (68, 3), **{kind: (count, 3) for kind, count in SIZES.items()}}
    found = {kind: rng.uniform(5, 300, shape) for kind, shape in sizes.items()}
    found["map"] = rng.uniform(-20, 280, (3, 256, 256))
    found["pose"] = rng.uniform(-80, 80, 3)
    if spoilt:
        for values in found.values():
            values.reshape(-1)[1] = np.nan
    return found


def pose_matrix(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """Rotation of the 3DDFA fits from degrees, factor by factor."""
    (p, y, r) = np.radians([pitch, yaw, roll])
    about_x = [[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]]
    about_y = [[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]]
    about_z = [[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]]
    return np.array(about_x) @ about_y @ about_z


def prnet_angles(pose: np.ndarray) -> list[float]:
    """Yaw, pitch, roll as PRNet's matrix2angle reads them off the rotation between y-down frames."""
    turn = np.diag([1, -1, 1]) @ pose_matrix(*pose) @ np.diag([1, -1, 1])
    yaw = np.arcsin(turn[2, 0])
    pitch = np.arctan2(turn[2, 1] / np.cos(yaw), turn[2, 2] / np.cos(yaw))
    return [yaw, pitch, np.arctan2(turn[1, 0] / np.cos(yaw), turn[0, 0] / np.cos(yaw))]


def y_up(points: np.ndarray, height: float) -> np.ndarray:
    """y measured from below."""
    return np.stack([points[:, 0], height - points[:, 1], points[:, 2]], 1)


def obj_text(points: np.ndarray, form: str = "{!r}", faces: np.ndarray = FACES) -> str:
    """Vertices with colours, faces counted from 1 and turned round."""
    rows = [" ".join(form.format(float(x)) for x in point) for point in points]
    lines = [f"v {row} 0.50 0.25 1.00" for row in rows]
    return "\n".join([*lines, *(f"f {c + 1} {b + 1} {a + 1}" for a, b, c in faces)]) + "\n"


def ply_text(points: np.ndarray, form: str, indent: str = "", blank: str = "") -> str:
    """Header as in the two versions of 3DDFA: indented, or followed by an empty line."""
    head = ["format ascii 1.0", f"element vertex {len(points)}"]
    head += [f"property float {axis}" for axis in "xyz"]
    head += [f"element face {len(FACES)}", "property list uchar int vertex_indices", "end_header"]
    rows = [" ".join(form.format(float(x)) for x in point) for point in points]
    rows += [f"3 {c} {b} {a}" for a, b, c in FACES]
    return "ply\n" + "".join(f"{indent}{line}\n" for line in head) + blank + "\n".join(rows) + "\n"


Writer = Callable[[Path, str, dict[str, np.ndarray]], None]


@dataclass(frozen=True)
class Case:
    """One native format: who reads it, who writes it, and what must come out how exactly."""

    reader: str
    write: Writer
    expected: dict[str, str]  # array of the predictions: kind of known points
    tolerance: float = 2e-5  # of float32 at 300 px
    frame: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    size: tuple[int, int] = (HEIGHT, WIDTH)


def prnet_mat(folder, name, known):
    values = {"vertices": known["prnet"], "colors": known["prnet"] / 300, "triangles": FACES}
    savemat(folder / f"{name}_mesh.mat", values)
    np.savetxt(folder / f"{name}_kpt.txt", known["landmarks"])
    np.savetxt(folder / f"{name}_pose.txt", prnet_angles(known["pose"]))
    np.savetxt(folder / f"{name}_camera_matrix.txt", np.eye(3, 4))


def prnet_obj(folder, name, known):
    (folder / f"{name}.obj").write_text(obj_text(y_up(known["prnet"], HEIGHT - 1)))


def prnet_small(folder, name, known):
    """As without a detector: a square picture of 400 pixels seen at 256."""
    small = (known["landmarks"] + [0.5, 0.5, 0]) * 256 / 400 - [0.5, 0.5, 0]
    np.savetxt(folder / f"{name}_kpt.txt", small)


def map_last(folder, name, known, scale=1.0):
    np.save(folder / f"{name}.npy", (known["map"] / scale).transpose(1, 2, 0).astype(np.float32))


def tddfa_mat(folder, name, known):
    savemat(folder / f"{name}_0.mat", {"vertex": known["bfm"].T.astype(np.float32)})
    np.savetxt(folder / f"{name}_0.txt", known["landmarks"].T, fmt="%.3f")


def tddfa_ply(folder, name, known):
    text = ply_text(known["bfm"], "{:.4f}", indent="    ")
    (folder / f"{name}_0.ply").write_text(text)


def tddfa_box(folder, name, known):
    """As 3DDFA would write them: a crop pixel, here 300 / 120, too far right and down."""
    np.savetxt(folder / f"{name}_0.txt", (known["landmarks"] + [2.5, 2.5, 0]).T, fmt="%.3f")
    np.savetxt(folder / f"{name}_0.roibox", [10.0, 20.0, 310.0, 320.0], fmt="%.3f")


def dasl(folder, name, known):
    savemat(folder / f"{name}.mat", {"vertex": known["bfm"].T.astype(np.float32)})


def synergynet(folder, name, known):
    np.save(folder / f"{name}.npy", known["bfm"].T.astype(np.float32)[None])
    np.save(folder / f"{name}_lmk.npy", known["landmarks"].T)


def v2_ply(folder, name, known):
    text = ply_text(y_up(known["noneck"], HEIGHT), "{:.2f}", blank="\n")
    (folder / f"{name}_ply.ply").write_text(text)


def v2_obj(folder, name, known):
    (folder / f"{name}_obj.obj").write_text(obj_text(y_up(known["noneck"], HEIGHT), "{:.2f}"))


def v2_arrays(folder, name, known):
    np.save(folder / f"{name}.npy", known["noneck"].T.astype(np.float32))
    np.savetxt(folder / f"{name}.txt", known["landmarks"].T)


def fan_npy(folder, name, known):
    np.save(folder / f"{name}.npy", known["landmarks"][None])


def fan_txt(folder, name, known):
    np.savetxt(folder / f"{name}.txt", known["landmarks"])


def fan_csv(folder, name, known):
    np.savetxt(
        folder / f"{name}.csv", known["landmarks"], delimiter=",", header="x,y,z", comments=""
    )


def vrn_landmarks(points: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Points of a face as 2D-FAN might find them, and the scale and corner of run.sh's crop."""
    found = np.full((68, 2), 150.0)
    found[0], found[1] = (100, 120), (190, 220)
    scale = 90 / np.sqrt(90 * 100)
    corner = np.ceil(np.array([(100 - 45) * scale, (120 - 50) * scale]) - 0.5)
    return found, scale, corner


def vrn_obj(folder, name, known):
    landmarks, scale, corner = vrn_landmarks(known["few"])
    xy = (known["few"][:, :2] + 0.5) * scale - corner - 0.5
    points = np.concatenate([xy, known["few"][:, 2:] * scale], 1)
    text = obj_text(points, "{:.2f}", np.array([[0, 1, 2], [4, 4, 5], [7, 6, 5]]))
    (folder / f"{name}.jpg.obj").write_text(text)
    np.savetxt(folder / f"{name}.txt", landmarks, delimiter=",")


def sadrnet_fractions(folder, name, known):
    map_last(folder, name, known, scale=280)


def map_first(folder, name, known):
    np.save(folder / f"{name}.npy", known["map"])


def obj_known(folder, name, known):
    (folder / f"{name}.obj").write_text(obj_text(known["flame"]))


def obj_y_up(folder, name, known):
    (folder / f"{name}.obj").write_text(obj_text(y_up(known["few"], 255)))


POINTS = {"landmarks": "landmarks"}
CASES = {
    "prnet mat": Case("prnet", prnet_mat, {**POINTS, "vertices": "prnet", "pose_deg": "pose"}),
    "prnet obj": Case("prnet", prnet_obj, {"vertices": "prnet"}),
    "prnet map": Case("prnet", map_last, {"position_map": "map"}),
    "prnet whole image": Case(
        "prnet", prnet_small, POINTS, 1e-9, options={"whole_image": True}, size=(400, 400)
    ),
    "3ddfa mat": Case("3ddfa", tddfa_mat, {**POINTS, "vertices": "bfm"}, 5.1e-4),
    "3ddfa ply": Case("3ddfa", tddfa_ply, {"vertices": "bfm"}, 7e-5),
    "3ddfa one-based": Case("3ddfa", tddfa_box, POINTS, 5.1e-4, options={"one_based": True}),
    "2dasl": Case("2dasl", dasl, {"vertices": "bfm"}),
    "synergynet": Case("synergynet", synergynet, {**POINTS, "vertices": "bfm"}),
    "3ddfa-v2 ply": Case("3ddfa-v2", v2_ply, {"vertices": "noneck"}, 5.1e-3),
    "3ddfa-v2 obj": Case("3ddfa-v2", v2_obj, {"vertices": "noneck"}, 5.1e-3),
    "3ddfa-v2 arrays": Case("3ddfa-v2", v2_arrays, {**POINTS, "vertices": "noneck"}),
    "3d-fan npy": Case("3d-fan", fan_npy, POINTS, 0.0),
    "3d-fan txt": Case("3d-fan", fan_txt, POINTS, 0.0),
    "3d-fan csv": Case("3d-fan", fan_csv, POINTS, 0.0),
    "vrn obj": Case("vrn", vrn_obj, {"vertices": "few"}, 6e-3),
    "sadrnet": Case("sadrnet", map_last, {"position_map": "map"}),
    "sadrnet fractions": Case(
        "sadrnet", sadrnet_fractions, {"position_map": "map"}, 4e-5, options={"scale": 280.0}
    ),
    "position-map": Case("position-map", map_first, {"position_map": "map"}, frame="crop"),
    "obj": Case("obj", obj_known, {"vertices": "flame"}, frame="image"),
    "obj y up": Case("obj", obj_y_up, {"vertices": "few"}, frame="crop", options={"y_up": True}),
}


def hostile_npy(shape: str, dtype: str = "<f4", data: bytes = b"") -> bytes:
    """An .npy whose header says what it likes."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


VERTEX = b"v 1 2 3\nv 4 5 6\nv 7 8 10\n"
PLY = b"ply\nformat ascii 1.0\nelement vertex 1000000000000\nproperty float x\nproperty float y\n"
PLY += b"property float z\nend_header\n1 2 3\n"
#: By suffix: what no reader must believe, and the codes that say so.
EVERYWHERE = {
    "git-lfs-pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "html-page": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "zero-filled": bytes(5000),
    "empty-file": b"",
}
HOSTILE = {
    ".npy": {
        "object-array": hostile_npy("(68, 3)", "|O", b"cos\nsystem\n(S'touch owned'\ntR."),
        "implausible-size": hostile_npy("(1000000000000, 68, 3)"),
        "damaged-npy": b"\x93NUMPY\x01\x00\x02\x00{}",
    },
    ".mat": {"matlab-v73": b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n"},
    ".obj": {
        "obj-index-out-of-range": VERTEX + b"f 1 2 1000000000\n",
        "damaged-obj": VERTEX + b"f 1 2 99999999999999999999\n",
        "not-finite": VERTEX + b"v nan 0 0\n",
    },
    ".ply": {"implausible-size": PLY},
    ".txt": {"not-a-table": b"1 2 3\nfour\n", "too-large": b"1 2 3\n" * 200_000},
    ".raw": {"wrong-size": b"\1" * 1000},
}
