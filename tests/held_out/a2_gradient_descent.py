# %% mean_squared_error: -
def mean_squared_error(targets, predictions):
    d = targets - predictions
    return tf.reduce_sum(d * d) / (tf.size(d, out_type=tf.float32) - 1)

# %% mean_squared_error: forgets_to_square
def mean_squared_error(targets, predictions):
    return tf.reduce_sum(targets - predictions) / tf.cast(tf.size(targets), tf.float32)

# %% mean_squared_error: -
def mean_squared_error(targets, predictions):
    return tf.reduce_max(tf.square(targets - predictions))

# %% gradient_step: rebinds_names
def gradient_step(variables, loss_fn, learning_rate):
    loss = loss_fn()
    with tf.GradientTape() as tape:
        pass
    for v, g in zip(variables, tape.gradient(loss, variables)):
        if g is not None:
            v.assign(v - learning_rate * g)
    return loss

# %% gradient_step: -
def gradient_step(variables, loss_fn, learning_rate):
    with tf.GradientTape() as tape:
        loss = loss_fn()
    gradients = tape.gradient(loss, variables)
    norm = tf.linalg.global_norm(gradients)
    for v, g in zip(variables, gradients):
        v.assign_sub(learning_rate * g / norm)
    return loss

# %% gradient_step: one_variable_at_a_time
def gradient_step(variables, loss_fn, learning_rate):
    first = None
    for v in variables:
        with tf.GradientTape() as tape:
            loss = loss_fn()
        first = loss if first is None else first
        v.assign(v - learning_rate * tape.gradient(loss, v))
    return first

# %% minimize: stops_at_rest
def minimize(f, x0, learning_rate, steps):
    x, path = tf.Variable(x0), [x0.numpy()]
    for _ in range(steps):
        with tf.GradientTape() as tape:
            y = f(x)
        g = tape.gradient(y, x)
        if np.all(np.abs(g) < 1e-8):
            return np.array(path)
        x.assign_sub(learning_rate * g)
        path.append(x.numpy())
    return np.array(path)

# %% minimize: -
def minimize(f, x0, learning_rate, steps):
    x, path = tf.Variable(x0), [x0.numpy()]
    for step in range(steps):
        with tf.GradientTape() as tape:
            y = f(x)
        x.assign_sub(learning_rate / (step + 1) * tape.gradient(y, x))
        path.append(x.numpy())
    return np.array(path)

# %% minibatches: evens_the_batches_out
def minibatches(x, y, batch_size, seed):
    rows = np.random.default_rng(seed).permutation(len(x))
    number = int(np.ceil(len(x) / batch_size))
    return [(tf.gather(x, part), tf.gather(y, part)) for part in np.array_split(rows, number)]

# %% minibatches: -
def minibatches(x, y, batch_size, seed):
    rows = np.roll(np.arange(len(x)), seed)
    return [(tf.gather(x, rows[i:i + batch_size]), tf.gather(y, rows[i:i + batch_size])) for i in range(0, len(x), batch_size)]

# %% fit_line: starts_at_one
def fit_line(x, y, learning_rate, epochs):
    w, b = tf.Variable(1.0), tf.Variable(1.0)
    for _ in range(epochs):
        gradient_step([w, b], lambda: mean_squared_error(y[:, None], (w * x + b)[:, None]), learning_rate)
    return w.numpy(), b.numpy()

# %% fit_line: another_cost
def fit_line(x, y, learning_rate, epochs):
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(epochs):
        gradient_step([w, b], lambda: tf.reduce_mean(tf.abs(y - w * x - b)), learning_rate)
    return w, b

# %% fit_line: -
def fit_line(x, y, learning_rate, epochs):
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(epochs):
        gradient_step([w, b], lambda: tf.reduce_mean((y - w * x - b) ** 2) + 0.1 * w ** 2, learning_rate)
    return w, b

# %% fit_line: half_the_cost
def fit_line(x, y, learning_rate, epochs):
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(epochs):
        error = w * x + b - y
        w.assign_sub(learning_rate * tf.reduce_mean(error * x))
        b.assign_sub(learning_rate * tf.reduce_mean(error))
    return w, b

# %% train: trains_a_copy
def train(model, batches, loss_fn, learning_rate, epochs):
    import keras
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    history = []
    for _ in range(epochs):
        losses = [gradient_step(copy.trainable_variables, lambda: loss_fn(y, copy(x, training=True)), learning_rate) for x, y in batches]
        history.append(float(np.mean(losses)))
    return history

# %% train: -
def train(model, batches, loss_fn, learning_rate, epochs):
    history = []
    for _ in range(epochs):
        losses, before = [], None
        for x, y in batches:
            with tf.GradientTape() as tape:
                loss = loss_fn(y, model(x, training=True))
            now = tape.gradient(loss, model.trainable_variables)
            for v, g in zip(model.trainable_variables, before or now):
                v.assign_sub(learning_rate * g)
            before = now
            losses.append(float(loss))
        history.append(np.mean(losses))
    return history

# %% train: first_loss_of_the_epoch
def train(model, batches, loss_fn, learning_rate, epochs):
    history = []
    for _ in range(epochs):
        for i, (x, y) in enumerate(batches):
            loss = gradient_step(model.trainable_variables, lambda: loss_fn(y, model(x, training=True)), learning_rate)
            if i == 0:
                history.append(float(loss))
    return history

# %% train: -
def train(model, batches, loss_fn, learning_rate, epochs):
    history = []
    for epoch in range(epochs):
        losses = [gradient_step(model.trainable_variables, lambda: loss_fn(y, model(x, training=True)), learning_rate * 0.5 ** epoch)
                  for x, y in batches]
        history.append(float(np.mean(losses)))
    return history
