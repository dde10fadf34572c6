"""What the transformer stands on: the answers of the attention assignment, ready to use.

Yours may differ and be just as right. To build on your own, paste them into a cell of the notebook, below the imports.
"""

import math

import keras
import numpy as np
import tensorflow as tf


def positional_encoding(length, depth):
    """Encode positions as sines (even columns) and cosines (odd columns) of growing wavelength, base 10000.

    Args:
        length: int, number of positions T.
        depth: int, columns D of the encoding.
    Returns:
        float32 (length, depth); row 0 is position 0.
    """
    positions = np.arange(length)[:, np.newaxis]  # (T, 1)
    columns = np.arange(depth)  # (D,)
    angles = positions / 10000 ** (columns // 2 * 2 / depth)  # (T, D)
    return tf.constant(np.where(columns % 2 == 0, np.sin(angles), np.cos(angles)), tf.float32)


def causal_mask(length):
    """Allow every position to attend to itself and to earlier ones.

    Args:
        length: int, number of positions T.
    Returns:
        bool (length, length): entry (s, t) is True where position s may attend to position t.
    """
    positions = tf.range(length)
    return positions[tf.newaxis, :] <= positions[:, tf.newaxis]  # (1, T) <= (T, 1) -> (T, T)


def scaled_dot_product_attention(q, k, v, mask=None):
    """Mix values by how well their keys match each query.

    Args:
        q: float32 tensor (..., S, d), queries.
        k: float32 tensor (..., T, d), keys.
        v: float32 tensor (..., T, e), values.
        mask: None, or a bool, int32 or float32 tensor that broadcasts to (..., S, T); True or 1 means "may attend".
    Returns:
        (output, weights): float32 (..., S, e) and float32 (..., S, T).
    """
    scores = tf.matmul(q, k, transpose_b=True) / math.sqrt(q.shape[-1])  # (..., S, T)
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, -1e9)
    weights = tf.nn.softmax(scores, axis=-1)
    return tf.matmul(weights, v), weights


class MultiHeadAttention(keras.layers.Layer):
    """Attention of several heads, each on its own slice of the depth.

    The four dense maps are kept in the attributes `query_dense`, `key_dense`, `value_dense` and `output_dense`.

    Args:
        d_model: int, depth D of inputs and output.
        num_heads: int, number of heads H; D is a multiple of it.
    """

    def __init__(self, d_model, num_heads, **kwargs):
        super().__init__(**kwargs)
        if d_model % num_heads:
            raise ValueError(f"d_model must be a multiple of num_heads. Received: d_model={d_model}, num_heads={num_heads}")
        self.d_model = d_model
        self.num_heads = num_heads
        self.query_dense = keras.layers.Dense(d_model)
        self.key_dense = keras.layers.Dense(d_model)
        self.value_dense = keras.layers.Dense(d_model)
        self.output_dense = keras.layers.Dense(d_model)

    def build(self, query_shape, value_shape, key_shape=None):
        """Make the weights of the four maps, all of which are D columns deep."""
        for dense in (self.query_dense, self.key_dense, self.value_dense, self.output_dense):
            dense.build((*query_shape[:-1], self.d_model))

    def call(self, query, value, key=None, mask=None, return_attention=False):
        """Let every position of query attend to the positions of value.

        Args:
            query: float32 tensor (B, S, D).
            value: float32 tensor (B, T, D).
            key: float32 tensor (B, T, D); value serves as key when None.
            mask: None, or a bool, int32 or float32 tensor (S, T), (B, 1, T) or (B, S, T), the same for all heads;
                True or 1 means "may attend".
            return_attention: bool, return the weights too.
        Returns:
            float32 (B, S, D), or with return_attention the pair (output, weights), weights being float32 (B, H, S, T).
        """
        q = self._split(self.query_dense(query))  # (B, H, S, D/H)
        k = self._split(self.key_dense(value if key is None else key))  # (B, H, T, D/H)
        v = self._split(self.value_dense(value))  # (B, H, T, D/H)
        if mask is not None:
            mask = tf.expand_dims(mask, -3)  # (1, S, T) or (B, 1, S, T): the same for every head
        output, weights = scaled_dot_product_attention(q, k, v, mask)
        output = tf.transpose(output, (0, 2, 1, 3))  # (B, S, H, D/H)
        output = self.output_dense(tf.reshape(output, (-1, tf.shape(query)[1], self.d_model)))  # (B, S, D)
        return (output, weights) if return_attention else output

    def _split(self, x):
        size = self.d_model // self.num_heads
        x = tf.reshape(x, (-1, tf.shape(x)[1], self.num_heads, size))  # (B, T, H, D/H)
        return tf.transpose(x, (0, 2, 1, 3))  # (B, H, T, D/H)

    def get_config(self):
        """The arguments of __init__, by name, besides Keras's own."""
        return dict(super().get_config(), d_model=self.d_model, num_heads=self.num_heads)

    def compute_mask(self, inputs, previous_mask):
        """Tell Keras that the mask is for this layer, and not handed on to later ones."""
        return None
