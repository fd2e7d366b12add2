"""ICT-FaceKit's light face model (USC ICT Vision and Graphics Lab, MIT), as our face model.

What is taken from its ``FaceXModel`` folder, and what is done to it:

* ``generic_neutral_mesh.obj`` is the mean, ``identity000.obj`` to ``identity099.obj`` are the mean
  plus one standard deviation of a component (the authors' sample_random.py draws their weights from
  N(0, 1)), the 53 blendshapes that ``vertex_indices.json`` lists are the mean plus a whole
  expression. So an identity coefficient has a sigma of 1, and an expression coefficient runs from 0
  to 1. PupilDilate and cheekRaiser, which are in the folder but not in the list, are left out.
* The surface is the face and the head with neck, in one piece, with three holes closed: each eye by
  the front of its eyeball, joined to the lids behind their edge; the mouth by the first rings of its
  socket and a wall behind them. Teeth, gums, tongue, lashes and tear film are left out, so an open
  mouth is dark. The eyeballs do not turn: ICT's eyeLook shapes move the lids alone.
* Centimetres become micrometres. The origin stays: it lies between the ears, at the height of the
  nose. x points to the face's left, y up, z out of the face.
* ICT's own UV coordinates put face and head on two tiles with seams. Here the whole surface is one
  chart: the hem of the neck runs along a rounded square, and every other vertex lies at a mean of its
  neighbours with positive (mean value) weights. By Tutte's theorem no two triangles then overlap.
  Within the face the weights are those of ICT's face tile, which is kept but for a smooth
  stretch; around it, the head is drawn tighter, so that the face has most of the map.

References
----------
Li et al., Learning Formation of Physically-Based Face Attributes, CVPR 2020. Floater, Mean value
coordinates, CAGD 2003. Tutte, How to draw a graph, 1963.
"""

from prn_bench.facemodel.ict.albedo import ict_albedo
from prn_bench.facemodel.ict.read import looks_like_ict, read_ict_model
from prn_bench.facemodel.ict.sample import sample_ict_expression, sample_ict_identity

__all__ = [
    "ict_albedo",
    "looks_like_ict",
    "read_ict_model",
    "sample_ict_expression",
    "sample_ict_identity",
]
