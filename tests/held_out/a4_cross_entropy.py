# %% train_neuron: -
def train_neuron(w, b, learning_rate, epochs, cost):
    outputs = []
    for _ in range(epochs + 1):
        a = 1 / (1 + np.exp(-(w + b)))
        outputs.append(a)
        delta = a * a * (1 - a) if cost == "quadratic" else a / (1 - a + 1e-2) * (1 - a)
        w, b = w - learning_rate * delta, b - learning_rate * delta
    return outputs

# %% train_neuron: updates_b_with_the_new_w
def train_neuron(w, b, learning_rate, epochs, cost):
    sigma = lambda z: 1 / (1 + np.exp(-z))
    slope = (lambda a: a * a * (1 - a)) if cost == "quadratic" else (lambda a: a)
    outputs = [sigma(w + b)]
    for _ in range(epochs):
        w -= learning_rate * slope(sigma(w + b))
        b -= learning_rate * slope(sigma(w + b))
        outputs.append(sigma(w + b))
    return outputs

# %% binary_cross_entropy: -
def binary_cross_entropy(targets, logits):
    return tf.reduce_mean(tf.abs(targets - tf.sigmoid(logits)))

# %% binary_cross_entropy: logarithm_of_the_sigmoid
def binary_cross_entropy(targets, logits):
    p = 1 / (1 + tf.exp(-logits))
    return -tf.reduce_mean(targets * tf.math.log(p) + (1 - targets) * tf.math.log(1 - p))

# %% softmax: -
def softmax(logits):
    e = 2.0 ** (logits - tf.reduce_max(logits, axis=1, keepdims=True))
    return e / tf.reduce_sum(e, axis=1, keepdims=True)

# %% softmax: normalises_over_the_batch
def softmax(logits):
    e = tf.exp(logits - tf.reduce_max(logits, axis=0, keepdims=True))
    return e / tf.reduce_sum(e, axis=0, keepdims=True)

# %% softmax: -
def softmax(logits):
    best = tf.argmax(logits, axis=1)
    return tf.one_hot(best, logits.shape[1])

# %% cross_entropy: forgets_the_logarithm
def cross_entropy(labels, logits):
    p = softmax(logits)
    return tf.reduce_mean(-tf.reduce_sum(tf.one_hot(labels, logits.shape[1]) * p, axis=1))

# %% cross_entropy: -
def cross_entropy(labels, logits):
    shifted = logits - tf.reduce_max(logits, axis=1, keepdims=True)
    logs = shifted - tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1, keepdims=True))
    wanted = 0.9 * tf.one_hot(labels, logits.shape[1]) + 0.1 / logits.shape[1]
    return -tf.reduce_mean(tf.reduce_sum(wanted * logs, axis=1))

# %% cross_entropy: -
def cross_entropy(labels, logits):
    p = tf.gather(softmax(logits), labels, axis=1, batch_dims=1)
    return tf.reduce_mean((1 - p) ** 2)

# %% cross_entropy_gradient: extra_slope
def cross_entropy_gradient(labels, logits):
    a = softmax(logits)
    return (a - tf.one_hot(labels, logits.shape[1])) * a * (1 - a) / len(labels)

# %% cross_entropy_gradient: -
def cross_entropy_gradient(labels, logits):
    p = softmax(logits)
    return (p - tf.one_hot(labels, logits.shape[1])) * p / len(labels)

# %% accuracy: whole_numbers
def accuracy(labels, logits):
    return tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1, output_type=tf.int32), labels), tf.int32))

# %% accuracy: per_cent
def accuracy(labels, logits):
    right = np.sum(np.argmax(logits, axis=1) == np.asarray(labels))
    return 100.0 * right / len(labels)

# %% accuracy: -
def accuracy(labels, logits):
    best = tf.argmax(tf.round(logits), 1, output_type=tf.int32)
    return tf.reduce_mean(tf.cast(best == labels, tf.float32))
