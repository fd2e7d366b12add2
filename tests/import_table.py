"""The architecture as a table: which module is in which group, and what each group may import.

A new module fails in test_imports.py until it is put into a group; the groups are ordered.
"""

from __future__ import annotations

# Modules of prn_bench by group; a folder such as ``synthetic`` stands for all that is in it.
GROUPS = {
    "numbers": "alignment compiled geometry icp icp_pairs icp_walk intervals landmarks metrics nearest"
    " nearest_gpu normalizers point_tree pose ranking raster regions render resampling stopwatch subsets"
    " summary uvmap",
    "files": "annotation bfm checkpoint croissant dataset dense_points derive face_layout facemodel"
    " facemodel_file ict images landmark_map linear_face linear_maps loss_weights"
    " map_predictions matfile mesh mesh_landmarks mesh_reader objfile objlines outfile plyfile"
    " predicted_clouds predictions predictions_arrays predictions_csv predictions_memory"
    " predictions_npz predictions_rows predictions_structure predictions_writer prnet_weights"
    " protocol protocol_fields rawsource rawzip readers reference result_cache result_samples"
    " results scans schema score_inputs settings sniff store store_guard tensorfile tfbundle"
    " topology training_folder wrlfile",
    "specialists": "gallery plots report surface",
    "engine": "aggregate audit batch bench bench_icp bench_model bench_plain bench_score build checks"
    " columns comparable comparison dataset_content dataset_writer demo demo_report diagnose evaluate"
    " face_errors holdout leaderboard rawsample recipes runner sensitivity site spool survey"
    " synthetic",
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
# One importer each (torch: two): a change of theirs is met in one place.
ONLY_IN = {
    "h5py": "prn_bench.store",
    "matplotlib": "prn_bench.plots",
    "numba": "prn_bench.compiled",
    "open3d": "prn_bench.surface",
    "rich": "prn_bench.cli",
    "torch": "reference_model prn_bench.nearest_gpu",
    "typer": "prn_bench.cli",
}
