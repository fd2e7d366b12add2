"""The architecture as a table: which module is in which group, and what each group may import.

A new module fails in test_imports.py until it is put into a group; the groups are ordered.
"""

from __future__ import annotations

# Modules of prn_bench by group; a folder such as ``synthetic`` stands for all that is in it.
GROUPS = {
    "numbers": "alignment compiled geometry icp intervals landmarks metrics nearest nearest_gpu normalizers"
    " pose ranking raster regions render resampling shares subsets summary uvmap",
    "files": "dataset facemodel formats images landmark_map outfile predictions protocol protocol_fields"
    " protocol_rules readers recipes results settings store store_guard topology",
    "specialists": "gallery plots surface",
    "engine": "bench build checks comparison demo diagnose evaluate leaderboard runner site synthetic"
    " training",
    "top": "cli",
}
MAY_IMPORT = {
    "numbers": {"numbers"},
    "files": {"numbers", "files"},
    "specialists": {"numbers", "files"},
    "engine": {"numbers", "files", "specialists", "engine"},
    "top": set(GROUPS),
}
GROUP_OF = {module: group for group, modules in GROUPS.items() for module in modules.split()}
EVERYONE = {"prn_bench.errors", "prn_bench.__version__"}

# Imported inside functions only, since ``prn-bench --help`` must not wait for them.
HEAVY = {"PIL", "dask", "distributed", "h5py", "matplotlib", "onnx", "onnxruntime", "open3d"}
HEAVY |= {"numba", "pandas", "scipy", "skimage", "sklearn", "torch"}
# What Numba compiles must be at the top of its module: so these modules are heavy themselves.
COMPILED = "prn_bench.compiled."
# One importer each (torch: those that serve networks too): a change of theirs is met in one place.
ONLY_IN = {
    "h5py": "prn_bench.store",
    "matplotlib": "prn_bench.plots",
    "numba": "prn_bench.compiled",
    "open3d": "prn_bench.surface",
    "rich": "prn_bench.cli",
    "torch": "reference_model prn_bench.nearest_gpu prn_bench.bench.torch_network prn_bench.training",
    "typer": "prn_bench.cli",
}
