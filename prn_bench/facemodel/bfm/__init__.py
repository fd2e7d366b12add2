"""The Basel Face Model, from the files in which it circulates."""

from prn_bench.facemodel.bfm.layouts import read_face_model

__all__ = ["read_face_model"]
