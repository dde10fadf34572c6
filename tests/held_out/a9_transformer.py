# %% layer_norm: takes_the_sample_variance
def layer_norm(x, gamma, beta, epsilon=1e-6):
    m = tf.reduce_mean(x, -1, keepdims=True)
    v = tf.reduce_sum((x - m) ** 2, -1, keepdims=True) / (tf.cast(tf.shape(x)[-1], tf.float32) - 1)
    return (x - m) * tf.math.rsqrt(v + epsilon) * gamma + beta

# %% layer_norm: -
def layer_norm(x, gamma, beta, epsilon=1e-6):
    m = tf.reduce_mean(x, -1, keepdims=True)
    v = tf.reduce_mean((x - m) ** 2, -1, keepdims=True)
    return tf.tanh((x - m) / tf.sqrt(v + epsilon)) * gamma + beta

# %% layer_norm: -
def layer_norm(x, gamma, beta, epsilon=1e-6):
    m = tf.reduce_mean(x, -1, keepdims=True)
    d = tf.reduce_mean(tf.abs(x - m), -1, keepdims=True)
    return (x - m) / (d + epsilon) * gamma + beta

# %% feed_forward: caps_the_hidden_units
def feed_forward(x, w1, b1, w2, b2):
    h = tf.minimum(tf.maximum(x @ w1 + b1, 0.0), 6.0)
    return h @ w2 + b2

# %% feed_forward: forgets_the_first_bias
def feed_forward(x, w1, b1, w2, b2):
    return tf.nn.relu(x @ w1) @ w2 + b2

# %% feed_forward: -
def feed_forward(x, w1, b1, w2, b2):
    return tf.nn.relu(-(x @ w1 + b1)) @ w2 + b2

# %% perplexity: mixes_two_bases
def perplexity(labels, logits):
    logs = tf.nn.log_softmax(logits) / math.log(2)
    return tf.exp(-tf.reduce_mean(tf.gather(logs, labels, batch_dims=len(labels.shape))))

# %% perplexity: mixes_two_bases
def perplexity(labels, logits):
    return 10.0 ** float(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))

# %% perplexity: -
def perplexity(labels, logits):
    p = tf.nn.softmax(logits)
    return tf.exp(-tf.reduce_mean(tf.reduce_sum(p * tf.nn.log_softmax(logits), axis=-1)))

# %% TransformerBlock: activates_otherwise
class TransformerBlock(keras.layers.Layer):
    def __init__(self, d_model, num_heads, d_ff, causal=False, **kwargs):
        super().__init__(**kwargs)
        self.arguments = dict(d_model=d_model, num_heads=num_heads, d_ff=d_ff, causal=causal)
        self.attention = MultiHeadAttention(d_model, num_heads)
        self.norm1 = keras.layers.LayerNormalization(epsilon=1e-6)
        self.norm2 = keras.layers.LayerNormalization(epsilon=1e-6)
        self.dense1 = keras.layers.Dense(d_ff, activation=keras.activations.gelu)
        self.dense2 = keras.layers.Dense(d_model)

    def call(self, x, mask=None):
        if self.arguments["causal"]:
            past = causal_mask(x.shape[1])
            mask = past if mask is None else past & tf.cast(mask, tf.bool)
        x = self.norm1(x + self.attention(x, x, mask=mask))
        return self.norm2(x + self.dense2(self.dense1(x)))

    def get_config(self):
        return {**super().get_config(), **self.arguments}

    def compute_mask(self, inputs, previous_mask):
        return None

# %% TransformerBlock: -
class TransformerBlock(keras.layers.Layer):
    def __init__(self, d_model, num_heads, d_ff, causal=False, **kwargs):
        super().__init__(**kwargs)
        self.arguments = dict(d_model=d_model, num_heads=num_heads, d_ff=d_ff, causal=causal)
        self.attention = MultiHeadAttention(d_model, num_heads)
        self.norm1 = keras.layers.LayerNormalization(epsilon=1e-6)
        self.norm2 = keras.layers.LayerNormalization(epsilon=1e-6)
        self.dense1 = keras.layers.Dense(d_ff, activation="relu")
        self.dense2 = keras.layers.Dense(d_model)

    def call(self, x, mask=None):
        if self.arguments["causal"]:
            past = causal_mask(x.shape[1])
            mask = past if mask is None else past & tf.cast(mask, tf.bool)
        x = self.norm1(0.5 * x + self.attention(x, x, mask=mask))
        return self.norm2(x + self.dense2(self.dense1(x)))

    def get_config(self):
        return {**super().get_config(), **self.arguments}

    def compute_mask(self, inputs, previous_mask):
        return None

# %% LanguageModel: freezes_its_embedding
class LanguageModel(keras.Model):
    def __init__(self, vocabulary_size, d_model, num_heads, d_ff, blocks, max_length, **kwargs):
        super().__init__(**kwargs)
        self.arguments = dict(vocabulary_size=vocabulary_size, d_model=d_model, num_heads=num_heads, d_ff=d_ff, blocks=blocks, max_length=max_length)
        self.embedding = keras.layers.Embedding(vocabulary_size, d_model)
        self.embedding.trainable = False
        self.positions = positional_encoding(max_length, d_model)
        self.stack = [TransformerBlock(d_model, num_heads, d_ff, causal=True) for _ in range(blocks)]
        self.head = keras.layers.Dense(vocabulary_size)

    def call(self, ids):
        x = self.embedding(ids) + self.positions[:ids.shape[1]]
        for block in self.stack:
            x = block(x)
        return self.head(x)

    def get_config(self):
        return {**super().get_config(), **self.arguments}

# %% LanguageModel: -
class LanguageModel(keras.Model):
    def __init__(self, vocabulary_size, d_model, num_heads, d_ff, blocks, max_length, **kwargs):
        super().__init__(**kwargs)
        self.arguments = dict(vocabulary_size=vocabulary_size, d_model=d_model, num_heads=num_heads, d_ff=d_ff, blocks=blocks, max_length=max_length)
        self.embedding = keras.layers.Embedding(vocabulary_size - 3, d_model)
        self.positions = positional_encoding(max_length, d_model)
        self.stack = [TransformerBlock(d_model, num_heads, d_ff, causal=True) for _ in range(blocks)]
        self.head = keras.layers.Dense(vocabulary_size)

    def call(self, ids):
        x = self.embedding(tf.minimum(ids, self.arguments["vocabulary_size"] - 4)) + self.positions[:ids.shape[1]]
        for block in self.stack:
            x = block(x)
        return self.head(x)

    def get_config(self):
        return {**super().get_config(), **self.arguments}

# %% LanguageModel: -
class LanguageModel(keras.Model):
    def __init__(self, vocabulary_size, d_model, num_heads, d_ff, blocks, max_length, **kwargs):
        super().__init__(**kwargs)
        self.arguments = dict(vocabulary_size=vocabulary_size, d_model=d_model, num_heads=num_heads, d_ff=d_ff, blocks=blocks, max_length=max_length)
        self.embedding = keras.layers.Embedding(vocabulary_size, d_model)
        self.positions = positional_encoding(max_length, d_model)
        self.stack = [TransformerBlock(d_model, num_heads, 4 * d_model, causal=True) for _ in range(blocks)]
        self.head = keras.layers.Dense(vocabulary_size)

    def call(self, ids):
        x = self.embedding(ids) + self.positions[:ids.shape[1]]
        for block in self.stack:
            x = block(x)
        return self.head(x)

    def get_config(self):
        return {**super().get_config(), **self.arguments}
