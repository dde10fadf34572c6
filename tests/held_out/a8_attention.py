# %% positional_encoding: pairs_a_cosine_with_the_next_sine
def positional_encoding(length, depth):
    out = np.zeros((length, depth))
    for p in range(length):
        for k in range(depth):
            angle = p / 10000 ** (2 * math.ceil(k / 2) / depth)
            out[p, k] = math.sin(angle) if k % 2 == 0 else math.cos(angle)
    return out

# %% positional_encoding: -
def positional_encoding(length, depth):
    columns = np.arange(depth)
    angles = np.arange(length)[:, None] / 10000 ** (columns // 2 * 2 / max(depth - 2, 1))
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))

# %% causal_mask: forbids_itself
def causal_mask(length):
    i = tf.range(length)
    return i[:, None] > i[None, :]

# %% causal_mask: -
def causal_mask(length):
    i = np.arange(length)
    return np.abs(i[:, None] - i[None, :]) <= 1

# %% padding_mask: allows_one_too_many
def padding_mask(lengths, max_length):
    return tf.range(max_length)[None] <= tf.cast(lengths, tf.int32)[:, None]

# %% scaled_dot_product_attention: hides_too_little
def scaled_dot_product_attention(q, k, v, mask=None):
    s = tf.einsum("...sd,...td->...st", q, k) / tf.sqrt(tf.cast(tf.shape(q)[-1], tf.float32))
    if mask is not None:
        s = s + (1.0 - tf.cast(mask, tf.float32)) * -100.0
    w = tf.nn.softmax(s, axis=-1)
    return tf.matmul(w, v), w

# %% scaled_dot_product_attention: takes_one_kind_of_mask
def scaled_dot_product_attention(q, k, v, mask=None):
    s = tf.matmul(q, k, transpose_b=True) / math.sqrt(k.shape[-1])
    if mask is not None:
        s += (1.0 - mask) * -1e9
    w = tf.nn.softmax(s)
    return tf.matmul(w, v), w

# %% scaled_dot_product_attention: -
def scaled_dot_product_attention(q, k, v, mask=None):
    s = tf.matmul(q, k, transpose_b=True) / math.sqrt(k.shape[-1])
    if mask is not None:
        s = tf.where(tf.cast(mask, tf.bool), s, -1e9)
    w = tf.nn.softmax(s)
    return tf.matmul(w, v) / tf.sqrt(float(v.shape[-1])), w

# %% split_heads: reads_the_batch_size
def split_heads(x, heads):
    b, t, d = x.shape
    return tf.transpose(tf.reshape(x, (b, t, heads, d // heads)), (0, 2, 1, 3))

# %% split_heads: -
def split_heads(x, heads):
    b, t, d = tf.shape(x)[0], tf.shape(x)[1], x.shape[2]
    return tf.reverse(tf.transpose(tf.reshape(x, (b, t, heads, d // heads)), (0, 2, 1, 3)), [1])

# %% merge_heads: interleaves_the_heads
def merge_heads(x):
    x = tf.transpose(x, (0, 2, 3, 1))
    return tf.reshape(x, (tf.shape(x)[0], tf.shape(x)[1], x.shape[2] * x.shape[3]))

# %% MultiHeadAttention: never_uses_the_output_map
class MultiHeadAttention(keras.layers.Layer):
    def __init__(self, d_model, num_heads, **kwargs):
        super().__init__(**kwargs)
        if d_model % num_heads:
            raise ValueError("d_model must be a multiple of num_heads")
        self.d_model, self.num_heads = d_model, num_heads
        self.query_dense = keras.layers.Dense(d_model)
        self.key_dense = keras.layers.Dense(d_model)
        self.value_dense = keras.layers.Dense(d_model)
        self.output_dense = keras.layers.Dense(d_model)

    def call(self, query, value, key=None, mask=None, return_attention=False):
        key = value if key is None else key
        q, k, v = (split_heads(d(x), self.num_heads) for d, x in ((self.query_dense, query), (self.key_dense, key), (self.value_dense, value)))
        mask = None if mask is None else mask[:, None] if len(mask.shape) == 3 else mask
        o, w = scaled_dot_product_attention(q, k, v, mask)
        o = merge_heads(o)
        return (o, w) if return_attention else o

    def get_config(self):
        return {**super().get_config(), "d_model": self.d_model, "num_heads": self.num_heads}

# %% MultiHeadAttention: -
class MultiHeadAttention(keras.layers.Layer):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("d_model must be a multiple of num_heads")
        self.d_model, self.num_heads = d_model, num_heads
        self.query_dense = keras.layers.Dense(d_model)
        self.key_dense = keras.layers.Dense(d_model)
        self.value_dense = keras.layers.Dense(d_model)
        self.output_dense = keras.layers.Dense(d_model)

    def call(self, query, value, key=None, mask=None, return_attention=False):
        key = value if key is None else key
        q, k, v = (split_heads(d(x), self.num_heads) for d, x in ((self.query_dense, query), (self.key_dense, key), (self.value_dense, value)))
        mask = None if mask is None else mask[:, None] if len(mask.shape) == 3 else mask
        o, w = scaled_dot_product_attention(q, k, v, mask)
        o = self.output_dense(merge_heads(o))
        return (o, w) if return_attention else o

    def get_config(self):
        return {**super().get_config(), "d_model": self.d_model, "num_heads": self.num_heads}
