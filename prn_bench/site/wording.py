"""Protocols in words and as a formula, from their fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields

from prn_bench.comparison.comparable import changed_fields
from prn_bench.protocol_fields import Protocol, text_of

#: The variant of a family that the others are compared with; else the first by name.
DEFAULTS = {
    "aflw2000/68/2d": "3ddfa-fit",
    "aflw2000/68/3d": "z-mean",
    "aflw2000/dense/2d": "prnet-mask",
    "aflw2000/dense/3d": "prnet-mask",
    "aflw2000/pose": "1969",
    "aflw2000/rec": "corr-umeyama",
    "florence/rec": "vrn591",
}
POINTS = {
    "landmarks": "the 68 landmarks",
    "map": "the pixels of the face mask of the position map",
    "mesh": "the vertices of the face model",
    "named": "the visible annotated points",
    "scan": "the points of a region of the scan",
}
Z_RULES = {
    "none": "z as it comes",
    "mean": "after removing the mean z of each side",
    "median": "after removing the median z of each side",
    "min": "after moving the smallest z of each side to 0",
    "min-mesh": "after moving the smallest z of the reference's mesh to 0",
    "mixed-sdrn": "after removing the mean z of the whole face from the prediction, that of the "
    "landmarks from the reference",
}
LENGTHS = {
    "bbox-sqrt-wh": "sqrt(w h) of the box of {shape}",
    "box-sqrt-wh": "sqrt(w h) of the annotated box",
    "bbox-diagonal": "the diagonal of the box of {shape}",
    "bbox-diagonal-3d": "the 3D diagonal of the box of {shape}",
    "bbox-max": "the larger side of the box of {shape}",
    "bbox-mean": "(w + h) / 2 of the box of {shape}",
    "interocular-2d": "the 2D distance of the outer eye corners",
    "interocular-3d": "the 3D distance of the outer eye corners",
    "interpupil": "the 2D distance of the eye centres",
    "roi-side": "the side of the crop box",
}
ALIGNMENTS = {
    "none": "The prediction is not moved.",
    "corr-rigid": "The prediction is moved by the least-squares rigid motion by known pairs.",
    "corr-similarity": "The prediction is moved by the least-squares similarity by known pairs.",
    "corr-first-point": "The prediction is moved by SADRNet's similarity: scale from the distances "
    "to the first point, no guard against mirrors.",
    "icp-rigid": "The prediction is moved by rigid ICP.",
    "icp-similarity": "The prediction is moved by ICP with scale.",
    "icp-sadrnet": "The prediction is moved by SADRNet's two runs of ICP with scale.",
}
MATCHES = {
    "index": "to its own point",
    "predicted-to-reference": "from each predicted point to the nearest of the reference",
    "reference-to-predicted": "from each reference point to the nearest of the prediction",
    "symmetric": "to the nearest point, both ways",
}
AGGREGATES = {
    "mean-of-bins": "the mean of the means of the yaw bins",
    "mean-of-images": "the mean over images",
    "median": "the median over images",
}
UNITS = {"percent": "%", "px": "px", "deg": "degrees", "ms": "ms", "none": "no unit"}
PROSE = ("id", "title", "source", "notes", "version")


def unit_words(protocol: Protocol) -> str:
    """Unit of a protocol's figures."""
    return UNITS[protocol.unit]


def family_of(protocol_id: str) -> str:
    """The part of an id that its variants share."""
    return protocol_id.partition("@")[0]


def variant_of(protocol_id: str) -> str:
    """The part of an id that tells it from the other variants."""
    return protocol_id.partition("@")[2] or protocol_id


def default_of(variants: list[Protocol]) -> Protocol:
    """The variant that the others of a family are compared with."""
    wanted = DEFAULTS.get(family_of(variants[0].id))
    return next((one for one in variants if variant_of(one.id) == wanted), variants[0])


def formula(protocol: Protocol) -> list[str]:
    """How one sample is measured and all are summed up, a sentence each."""
    return [*_steps(protocol)]


def _steps(p: Protocol) -> Iterator[str]:
    if p.task == "pose":
        yield from _pose(p)
    elif p.task == "runtime":
        yield "time of an image = from the decoded crop in memory to the geometry in memory"
    else:
        unit = "" if p.unit == "px" else " x 100"
        scale = LENGTHS.get(p.normalizer, p.normalizer)
        if p.task == "reconstruction":
            yield ALIGNMENTS[p.alignment]
            if p.motion == "pairs-only":
                yield "Its motion only finds the pairs; distances are those before it."
        over = "" if p.normalizer == "none" else f" / d{unit}"
        yield f"error of an image = 1/N sum over i of |p_i - g_i|{over}, in {p.dims}D"
        yield f"p_i, g_i: predicted and reference position of {_points(p)}, in pixels"
        if p.dims == 3 and p.task == "nme":
            yield f"z: {Z_RULES[p.z_rule]}"
        if p.task == "reconstruction":
            yield f"distances: {MATCHES[p.match]}"
        if p.normalizer != "none":
            shape = "the 68 landmarks" if p.normalizer_shape == "landmarks" else "these points"
            yield f"d: {scale.format(shape=shape)}"
    yield f"score = {AGGREGATES[p.aggregate]}, in {unit_words(p)}"


def _points(p: Protocol) -> str:
    words = POINTS[p.point_set]
    if p.region != "all":
        words = f"the region {p.region} of {words.removeprefix('the ')}"
    return words if p.stride == 1 else f"{words}, every {p.stride}th"


def _pose(p: Protocol) -> Iterator[str]:
    kinds = {
        "euler": "error of an image = mean of |pitch|, |yaw| and |roll| differences",
        "geodesic": "error of an image = angle of the rotation between prediction and reference",
        "frobenius": "error of an image = Frobenius norm of I - R_p R_g^T",
    }
    yield kinds[p.pose_error]
    if p.pose_limit_deg:
        yield f"images with a reference angle beyond {p.pose_limit_deg:g} degrees are left out"


def choices(protocol: Protocol) -> list[tuple[str, str]]:
    """Every field that decides the number, with its value: those that enter the hash."""
    neutral = {field.name: field.default for field in fields(protocol)}
    return [
        (name, text_of(value))
        for name, value in vars(protocol).items()
        if name not in PROSE and (neutral[name] is MISSING or neutral[name] != value)
    ]


def changes(protocol: Protocol, default: Protocol) -> str:
    """In what a variant differs from the default."""
    if protocol is default:
        return "the default"
    found = changed_fields(default, protocol)
    words = [f"{name} = {text_of(value)}" for name, (_, value) in found.items()]
    return ", ".join(words) or "nothing that decides a number"
