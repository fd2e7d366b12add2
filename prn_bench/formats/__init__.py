"""File formats of others, read without trusting them: MATLAB, OBJ, PLY, VRML, safetensors, TensorFlow."""
