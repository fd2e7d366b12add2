"""What TensorFlow computes for the layers of PRNet's network: made once, kept in ``tests/golden``.

    python3.11 -m venv tf && tf/bin/pip install tensorflow-cpu==2.12.1 tf_slim==1.1.0
    tf/bin/python tests/regenerate_tf_golden.py path/to/256_256_resfcn256_weight.index

TF-slim's ``layers`` is what was ``tensorflow.contrib.layers`` when PRNet was written, defaults
included; newer TensorFlows no longer carry what it stands on. The weights are random.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLDEN = Path(__file__).parent / "golden"
SIDE = 256
PIXELS = (
    0,
    1,
    100,
    254,
    255,
)  # rows and columns whose outputs are kept: borders, where padding acts


def pictures(side: int = SIDE) -> NDArray[np.float32]:
    """(2, side, side, 3) smooth values in 0..1, the same on every machine."""
    y, x = np.mgrid[:side, :side] / side
    first = np.stack([x * y, 0.5 + 0.5 * np.sin(9 * x), y * y], -1)
    return np.stack([first, 1 - first[::-1]]).astype(np.float32)


def main(index: str) -> None:
    """Write ``tf_variables.txt``, ``tf_layers.npz`` and ``tf_network.*``."""
    import tensorflow.compat.v1 as tf
    from tf_slim.ops.arg_scope import arg_scope

    tf.disable_v2_behavior()
    write_variables(tf, index)
    write_layers(tf, arg_scope)
    write_network(tf, arg_scope)


def write_variables(tf: Any, index: str) -> None:
    """Names and shapes in the index of the released checkpoint, one a line."""
    shapes = tf.train.NewCheckpointReader(index.removesuffix(".index")).get_variable_to_shape_map()
    lines = [f"{name} {','.join(map(str, shape))}\n" for name, shape in sorted(shapes.items())]
    (GOLDEN / "tf_variables.txt").write_text("".join(lines))


def scope(arg_scope: Any, tf: Any, *, training: bool) -> Any:
    """The settings that PRNet's layers share, as a stack of two argument scopes."""
    from contextlib import ExitStack

    from tf_slim.layers import layers

    stack = ExitStack()
    stack.enter_context(arg_scope([layers.batch_norm], is_training=training, scale=True))
    convolutions = [layers.conv2d, layers.conv2d_transpose]
    shared = {"activation_fn": tf.nn.relu, "normalizer_fn": layers.batch_norm, "padding": "SAME"}
    stack.enter_context(arg_scope(convolutions, biases_initializer=None, **shared))
    return stack


def block(x: Any, width: int, stride: int) -> Any:
    """One residual block, from the names and shapes in the index and the paper's figure."""
    import tensorflow.compat.v1 as tf
    from tf_slim.layers import layers

    plain = {"activation_fn": None, "normalizer_fn": None}
    with tf.variable_scope(None, "resBlock"):
        shortcut = x
        if stride > 1 or x.shape[3] != width:
            shortcut = layers.conv2d(x, width, 1, stride, scope="shortcut", **plain)
        inner = layers.conv2d(layers.conv2d(x, width // 2, 1), width // 2, 4, stride)
        inner = layers.conv2d(inner, width, 1, **plain)
        return tf.nn.relu(layers.batch_norm(inner + shortcut))


def write_layers(tf: Any, arg_scope: Any) -> None:
    """Input, variables and output of every kind of layer, 8 x 8 pixels and a few channels."""
    from tf_slim.layers import layers

    bare = {"activation_fn": None, "normalizer_fn": None}
    kinds = {
        "conv_1": lambda x: layers.conv2d(x, 5, 4, **bare),
        "conv_2": lambda x: layers.conv2d(x, 5, 4, 2, **bare),
        "conv_point_2": lambda x: layers.conv2d(x, 5, 1, 2, **bare),
        "transpose_1": lambda x: layers.conv2d_transpose(x, 5, 4, 1, **bare),
        "transpose_2": lambda x: layers.conv2d_transpose(x, 5, 4, 2, **bare),
        "norm": layers.batch_norm,
        "norm_training": layers.batch_norm,
        "block_1": lambda x: block(x, 4, 1),
        "block_2": lambda x: block(x, 8, 2),
    }
    kept = {}
    for name, layer in kinds.items():
        with tf.Graph().as_default(), scope(arg_scope, tf, training=name == "norm_training"):
            x = np.random.default_rng(1).normal(size=(2, 8, 8, 4)).astype(np.float32)
            result = layer(tf.constant(x))
            updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
            with tf.Session() as session:
                variables = randomise(tf, session)
                kept |= {f"{name}/variables/{key}": value for key, value in variables.items()}
                kept |= {f"{name}/input": x, f"{name}/output": session.run(result)}
                session.run(updates)
                if updates:
                    after = {v.op.name: session.run(v) for v in tf.global_variables()}
                    kept |= {f"{name}/after/{key}": value for key, value in after.items()}
    np.savez_compressed(GOLDEN / "tf_layers.npz", **kept)


def randomise(tf: Any, session: Any) -> dict[str, NDArray]:
    """Random values for every variable of a graph, variances positive."""
    rng, values = np.random.default_rng(2), {}
    for variable in tf.global_variables():
        shape = tuple(variable.shape.as_list())
        spread = 0.5 if len(shape) < 2 else np.sqrt(2 / np.prod(shape[:3]))
        value = rng.normal(0, spread, shape).astype(np.float32)
        name = variable.op.name
        if name.endswith("moving_variance"):
            value = 0.5 + np.abs(value)
        elif name.endswith("gamma"):
            value = 0.62 + np.abs(
                value
            )  # found by trying: pictures differ at the end, none saturates
        elif name.endswith("beta"):
            value = np.abs(value)  # so that most of few channels get past ReLU
        values[name] = value
        variable.load(value, session)
    return values


def write_network(tf: Any, arg_scope: Any) -> None:
    """A whole network of one base channel as a checkpoint of TensorFlow's, and some of its outputs."""
    from tf_slim.layers import layers

    with tf.Graph().as_default(), scope(arg_scope, tf, training=False):
        with tf.variable_scope("resfcn256"):
            x = layers.conv2d(tf.constant(pictures()), 1, 4)
            for width in (2, 4, 8, 16, 32):
                x = block(block(x, width, 2), width, 1)
            widths = [(32, 1), *((w, s) for w in (16, 8, 4) for s in (2, 1, 1))]
            widths += [(w, s) for w in (2, 1) for s in (2, 1)] + [(3, 1), (3, 1)]
            for width, stride in widths:
                x = layers.conv2d_transpose(x, width, 4, stride)
            x = layers.conv2d_transpose(x, 3, 4, 1, activation_fn=tf.nn.sigmoid)
        tf.get_variable("beta1_power", ())
        tf.get_variable("resfcn256/Conv/BatchNorm/beta/Adam", (1,))
        with tf.Session() as session:
            randomise(tf, session)
            tf.train.Saver().save(
                session, str(GOLDEN / "tf_network"), write_meta_graph=False, write_state=False
            )
            output = session.run(x)
    kept = output[:, PIXELS][:, :, PIXELS]
    np.save(GOLDEN / "tf_network_output.npy", kept)
    print("spread in a picture", np.ptp(kept, (1, 2)), "between them", np.ptp(kept, 0).max((0, 1)))


if __name__ == "__main__":
    main(sys.argv[1])
