# %% perceptron: -
def perceptron(x, w, b):
    return tf.cast(tf.round(tf.linalg.matvec(x, w) + b) > 0, tf.float32)

# %% perceptron: -
def perceptron(x, w, b):
    return tf.cast(tf.linalg.matvec(x, w) + b > 1e-1, tf.float32) * tf.cast(tf.shape(x)[0] > 1, tf.float32)

# %% perceptron: fires_below
def perceptron(x, w, b):
    return 1.0 - np.heaviside(np.asarray(x) @ np.asarray(w) + b, 1.0)

# %% perceptron: subtracts_the_bias
def perceptron(x, w, b):
    return np.array([float(np.dot(row, w) > b) for row in np.asarray(x)])

# %% nand: -
def nand(x):
    return tf.repeat(perceptron(x, tf.constant([-2.0, -2.0]), 3.0)[-1:], len(x))

# %% nand: positive_weights
def nand(x):
    return perceptron(x, [2.0, 2.0], 3.0)

# %% nand: goes_round_the_perceptron
def nand(x):
    return tf.cast(tf.reduce_sum(x, axis=1) < 2, tf.float32)

# %% nand: and_weights
def nand(x):
    return perceptron(x, [1.0, 1.0], -1.5)

# %% xor: -
def xor(x):
    return nand(x) * 0.0

# %% xor: -
def xor(x):
    return tf.zeros(len(x))

# %% xor: misses_one_side
def xor(x):
    a, b = x[:, 0], x[:, 1]
    gate = lambda p, q: nand(tf.stack([p, q], 1))
    inner = gate(a, b)
    left = gate(b, inner)
    return gate(left, left)

# %% xor: goes_round_the_gates
def xor(x):
    return perceptron(tf.stack([nand(x), tf.reduce_max(x, axis=1)], 1), [1.0, 1.0], -1.5)

# %% sigmoid: -
def sigmoid(z):
    return tf.constant(1 / (1 + np.exp(-np.asarray(z))))

# %% sigmoid: shares_of_a_row
def sigmoid(z):
    return tf.nn.softmax(z)

# %% sigmoid: hyperbolic_tangent
def sigmoid(z):
    return (tf.exp(z) - tf.exp(-z)) / (tf.exp(z) + tf.exp(-z))

# %% sigmoid: minus_sign_missing
def sigmoid(z):
    return 0.5 - 0.5 * tf.tanh(z / 2)

# %% sigmoid: clips
def sigmoid(z):
    return tf.clip_by_value(0.5 + 0.5 * tf.tanh(z / 2), 1e-3, 1 - 1e-3)

# %% feedforward: -
def feedforward(x, weights, biases):
    for w in weights:
        x = tf.sigmoid(x @ w + biases[0][0])
    return x

# %% feedforward: last_layer_linear
def feedforward(x, weights, biases):
    last = len(weights) - 1
    for i in range(len(weights)):
        z = tf.matmul(x, weights[i]) + biases[i]
        x = z if i == last else tf.sigmoid(z)
    return x

# %% feedforward: rectified_layers
def feedforward(x, weights, biases):
    for w, b in list(zip(weights, biases))[:-1]:
        x = tf.maximum(x @ w + b, 0.0)
    return 1 / (1 + tf.exp(-(x @ weights[-1] + biases[-1])))

# %% count_parameters: biases_at_the_output_alone
def count_parameters(sizes):
    return sum(a * b for a, b in zip(sizes, sizes[1:])) + sizes[-1]

# %% count_parameters: equal_layers_once
def count_parameters(sizes):
    return sum((a + 1) * b for a, b in set(zip(sizes, sizes[1:])))

# %% count_parameters: forgets_biases
def count_parameters(sizes):
    total = 0
    for layer in range(1, len(sizes)):
        total += sizes[layer] * sizes[layer - 1]
    return total
