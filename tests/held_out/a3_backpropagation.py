# %% relu: capped
def relu(z):
    return tf.minimum(tf.maximum(z, 0.0), 6.0)

# %% relu: -
def relu(z):
    return tf.where(z > 0.5, z, 0.0)

# %% sigmoid_prime: -
def sigmoid_prime(z):
    h = 1e-3
    return (tf.sigmoid(z + h) - tf.sigmoid(z)) / h

# %% sigmoid_prime: slope_of_tanh
def sigmoid_prime(z):
    return 1 - tf.tanh(z) ** 2

# %% numerical_gradient: -
def numerical_gradient(f, x, h=1e-5):
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        gradient[i] = (-3 * f(x) + 4 * f(x + e) - f(x + 2 * e)) / (2 * h)
    return gradient

# %% numerical_gradient: forward_difference
def numerical_gradient(f, x, h=1e-5):
    start, gradient = f(x), np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        moved = x.copy()
        moved[i] += h
        gradient[i] = (f(moved) - start) / h
    return gradient

# %% relative_error: -
def relative_error(a, b):
    return np.median(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)))

# %% relative_error: divides_by_the_mean
def relative_error(a, b):
    return np.max(2 * np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)))

# %% backprop: slope_at_the_activation
def backprop(x, y, weights, biases):
    a, zs = [x], []
    for w, b in zip(weights, biases):
        zs.append(tf.matmul(a[-1], w) + b)
        a.append(tf.sigmoid(zs[-1]))
    delta = (a[-1] - y) * sigmoid_prime(zs[-1]) / tf.cast(len(x), x.dtype)
    dws, dbs = [tf.matmul(a[-2], delta, transpose_a=True)], [tf.reduce_sum(delta, 0)]
    for i in range(len(weights) - 1, 0, -1):
        delta = tf.matmul(delta, weights[i], transpose_b=True) * sigmoid_prime(a[i])
        dws.insert(0, tf.matmul(a[i - 1], delta, transpose_a=True))
        dbs.insert(0, tf.reduce_sum(delta, 0))
    return dws, dbs

# %% backprop: -
def backprop(x, y, weights, biases):
    a = [x]
    for w, b in zip(weights, biases):
        a.append(tf.tanh(tf.matmul(a[-1], w) + b))
    delta = (a[-1] - y) * (1 - a[-1] ** 2) / tf.cast(len(x), x.dtype)
    dws, dbs = [], []
    for i in range(len(weights) - 1, -1, -1):
        dws.insert(0, tf.matmul(a[i], delta, transpose_a=True))
        dbs.insert(0, tf.reduce_sum(delta, 0))
        delta = tf.matmul(delta, weights[i], transpose_b=True) * (1 - a[i] ** 2)
    return dws, dbs

# %% backprop: -
def backprop(x, y, weights, biases):
    a = [x]
    for w, b in zip(weights, biases):
        a.append(tf.sigmoid(tf.matmul(a[-1], w) + b))
    delta = (a[-1] - y) * a[-1] * (1 - a[-1]) / tf.cast(len(x), x.dtype)
    dws, dbs = [], []
    for i in range(len(weights) - 1, -1, -1):
        dws.insert(0, tf.matmul(a[i], delta, transpose_a=True) + 0.01 * weights[i])
        dbs.insert(0, tf.reduce_sum(delta, 0))
        delta = tf.matmul(delta, weights[i], transpose_b=True) * a[i] * (1 - a[i])
    return dws, dbs

# %% layer_gradient_norms: sum_of_sizes
def layer_gradient_norms(x, y, weights, biases, activation):
    hidden = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": relu}[activation]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        a = x
        for i, (w, b) in enumerate(zip(weights, biases)):
            a = (tf.sigmoid if i == len(weights) - 1 else hidden)(a @ w + b)
        cost = 0.5 * tf.reduce_mean(tf.reduce_sum((a - y) ** 2, axis=1))
    return [float(tf.reduce_mean(tf.abs(g))) for g in tape.gradient(cost, weights)]

# %% layer_gradient_norms: -
def layer_gradient_norms(x, y, weights, biases, activation):
    hidden = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": relu}[activation]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        a = x
        for i, (w, b) in enumerate(zip(weights, biases)):
            a = (tf.sigmoid if i == len(weights) - 1 else hidden)(a @ w + b)
        cost = 0.5 * tf.reduce_mean(tf.reduce_sum((a - y) ** 2, axis=1))
    return [float(tf.reduce_max(tf.abs(g))) for g in tape.gradient(cost, weights)]

# %% layer_gradient_norms: same_activation_at_the_output
def layer_gradient_norms(x, y, weights, biases, activation):
    act = {"sigmoid": tf.nn.sigmoid, "tanh": tf.nn.tanh, "relu": tf.nn.relu}[activation]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        a = x
        for w, b in zip(weights, biases):
            a = act(tf.matmul(a, w) + b)
        cost = tf.reduce_sum(tf.square(a - y)) / (2.0 * x.shape[0])
    return [np.linalg.norm(g) for g in tape.gradient(cost, weights)]
