# %% encode: drops_unknown_characters
def encode(text, vocabulary):
    return np.array([list(vocabulary).index(c) for c in text if c in vocabulary], np.int32)

# %% encode: -
def encode(text, vocabulary):
    ids = []
    for c in text.lower().strip():
        if c not in vocabulary:
            raise ValueError(f"not in the vocabulary: {c!r}")
        ids.append(list(vocabulary).index(c))
    return np.array(ids, np.int32)

# %% decode: -
def decode(ids, vocabulary):
    return "".join(vocabulary[len(vocabulary) - 1 - int(i)] for i in ids)

# %% embed: looks_one_row_too_high
def embed(ids, table):
    return tf.gather(tf.concat([table[-1:], table[:-1]], axis=0), ids)

# %% embed: -
def embed(ids, table):
    rows = tf.gather(table, ids)
    return rows / tf.norm(rows, axis=-1, keepdims=True)

# %% rnn_step: -
def rnn_step(x, h, w_x, w_h, b):
    return tf.tanh(tf.matmul(x, w_x) + h * tf.linalg.diag_part(w_h) + b)

# %% rnn_step: transposes_w_h
def rnn_step(x, h, w_x, w_h, b):
    return tf.tanh(tf.matmul(x, w_x) + tf.matmul(h, w_h, transpose_b=True) + b)

# %% rnn: -
memory = {}


def rnn(x, h0, w_x, w_h, b):
    h, states = memory.get(h0.shape, h0), []
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, w_x, w_h, b)
        states.append(h)
    memory[h0.shape] = h
    return tf.stack(states, axis=1)

# %% rnn: starts_from_zeros
def rnn(x, h0, w_x, w_h, b):
    h, states = tf.zeros_like(h0), []
    for t in range(x.shape[1]):
        h = tf.tanh(x[:, t] @ w_x + h @ w_h + b)
        states.append(h)
    return tf.stack(states, axis=1)

# %% next_character_batches: -
def next_character_batches(ids, length, batch_size):
    starts = list(range(0, len(ids) - length, length))
    windows = [ids[s:s + length + 1] for s in starts][:-1]
    made = [windows[k:k + batch_size] for k in range(0, len(windows), batch_size)]
    return [(np.array([w[:-1] for w in part]), np.array([w[1:] for w in part])) for part in made]

# %% next_character_batches: lets_windows_overlap
def next_character_batches(ids, length, batch_size):
    ids, batches, x, y = list(ids), [], [], []
    for s in range(len(ids) - length):
        x.append(ids[s:s + length])
        y.append(ids[s + 1:s + length + 1])
        if len(x) == batch_size:
            batches.append((np.array(x), np.array(y)))
            x, y = [], []
    return batches + ([(np.array(x), np.array(y))] if x else [])

# %% LSTMCell: swaps_forget_gate_and_candidate
class LSTMCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]

    def build(self, input_shape):
        u = self.units
        self.kernel = self.add_weight(shape=(input_shape[-1], 4 * u), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(u, 4 * u), name="recurrent_kernel")
        self.bias = self.add_weight(shape=(4 * u,), initializer="zeros", name="bias")
        self.bias.assign(tf.concat([tf.zeros(u), tf.ones(u), tf.zeros(2 * u)], 0))

    def call(self, inputs, states):
        h, c = states
        z = tf.matmul(inputs, self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
        i, g, f, o = tf.split(z, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]

# %% LSTMCell: -
class LSTMCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]

    def build(self, input_shape):
        u = self.units
        self.kernel = self.add_weight(shape=(input_shape[-1], 4 * u), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(u, 4 * u), name="recurrent_kernel")
        self.bias = self.add_weight(shape=(4 * u,), initializer="zeros", name="bias")
        self.bias.assign(tf.concat([tf.zeros(u), tf.ones(u), tf.zeros(2 * u)], 0))

    def call(self, inputs, states):
        h, c = states
        z = tf.matmul(inputs, self.kernel) + tf.matmul(c, self.recurrent_kernel) + self.bias
        i, f, g, o = tf.split(z, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]

# %% lstm: sigmoid_overflows
def lstm(x, h0, c0, kernel, recurrent_kernel, bias):
    sigma = lambda v: tf.exp(v) / (tf.exp(v) + 1.0)
    h, c, out, u = h0, c0, [], h0.shape[1]
    for t in range(x.shape[1]):
        z = x[:, t] @ kernel + h @ recurrent_kernel + bias
        c = sigma(z[:, u:2 * u]) * c + sigma(z[:, :u]) * tf.tanh(z[:, 2 * u:3 * u])
        h = sigma(z[:, 3 * u:]) * tf.tanh(c)
        out.append(h)
    return tf.stack(out, axis=1), c

# %% lstm: lacks_a_gate
def lstm(x, h0, c0, kernel, recurrent_kernel, bias):
    h, c, out = h0, c0, []
    for t in range(x.shape[1]):
        i, f, g, o = tf.split(x[:, t] @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        c = c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        out.append(h)
    return tf.stack(out, axis=1), c

# %% lstm: -
def lstm(x, h0, c0, kernel, recurrent_kernel, bias):
    h, c, out = h0, c0, []
    for t in range(x.shape[1]):
        i, f, g, o = tf.split(x[:, t] @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o + c) * tf.tanh(c)
        out.append(h)
    return tf.stack(out, axis=1), c

# %% sample_next: takes_logits_for_probabilities
def sample_next(logits, temperature, seed):
    logits = np.asarray(logits, "float64")
    if temperature == 0:
        return int(np.argmax(logits))
    p = np.log(logits) / temperature
    p = np.exp(p) / np.sum(np.exp(p))
    return int(np.random.default_rng(seed).choice(len(p), p=p))

# %% sample_next: -
def sample_next(logits, temperature, seed):
    logits = np.asarray(logits, "float64")
    if temperature == 0:
        return int(np.argmax(logits))
    p = np.exp2((logits - logits.max()) / temperature)
    return int(np.random.default_rng(seed).choice(len(p), p=p / p.sum()))

# %% sample_next: -
def sample_next(logits, temperature, seed):
    logits = np.asarray(logits, "float64")
    noise = np.random.default_rng(seed).normal(size=len(logits))
    return int(np.argmax(logits + temperature * noise))
