"""Facts on ICT-FaceKit's mesh, from its README and ``vertex_indices.json``; counted from zero."""

from __future__ import annotations

from dataclasses import dataclass

N_IDENTITIES = 100
NEUTRAL = "generic_neutral_mesh"
#: Expressions with a shape of their own for each side (``_L``, ``_R``), and those without.
_SIDED = (
    "browDown browInnerUp browOuterUp cheekPuff cheekSquint eyeBlink eyeLookDown eyeLookIn eyeLookOut "
    "eyeLookUp eyeSquint eyeWide mouthDimple mouthFrown mouthLowerDown mouthPress mouthSmile "
    "mouthStretch mouthUpperUp noseSneer"
)
_WHOLE = (
    "jawForward jawLeft jawOpen jawRight mouthClose mouthFunnel mouthLeft mouthPucker mouthRight "
    "mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper"
)
#: In the order of ``vertex_indices.json``, which is alphabetic.
EXPRESSIONS = tuple(
    sorted([*_WHOLE.split(), *(f"{name}_{side}" for name in _SIDED.split() for side in "LR")])
)


@dataclass(frozen=True)
class Parts:
    """Vertex ranges of the mesh.

    Attributes
    ----------
    n_vertices : int
    narrow_face, face, skin, mouth : int
        The narrow face area, the full face area, face with head and neck, and those with the mouth
        socket are the vertices below these numbers.
    scleras : two of (int, int)
        First vertex and end of the left and the right sclera.
    landmarks : tuple of 68 int
        Multi-PIE.
    eye_rings, mouth_rings : int
        Rings of the eyeball, from its front pole, and of the mouth socket, from the lips, that are
        kept.
    """

    n_vertices: int
    narrow_face: int
    face: int
    skin: int
    mouth: int
    scleras: tuple[tuple[int, int], tuple[int, int]]
    landmarks: tuple[int, ...]
    eye_rings: int
    mouth_rings: int


ICT_PARTS = Parts(
    n_vertices=26719,
    narrow_face=6706,
    face=9409,
    skin=11248,
    mouth=13294,
    scleras=((21451, 22221), (23021, 23791)),
    landmarks=(
        *(1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272),
        *(4088, 3443, 268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942),
        *(4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756),
        *(3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841),
        *(5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966),
    ),
    eye_rings=14,
    mouth_rings=8,
)
