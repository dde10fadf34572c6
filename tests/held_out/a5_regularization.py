# %% split: -
def split(x, y, fraction, seed):
    k = round(fraction * len(x))
    x, y = np.roll(x, seed, axis=0), np.roll(y, seed, axis=0)
    return x[k:], y[k:], x[:k], y[:k]

# %% split: rounds_down
def split(x, y, fraction, seed):
    order = np.random.default_rng(seed).permutation(len(x))
    cut = len(x) - int(len(x) * fraction)
    return x[order[:cut]], y[order[:cut]], x[order[cut:]], y[order[cut:]]

# %% split: -
def split(x, y, fraction, seed):
    chosen = np.random.default_rng(seed).random(len(x)) < fraction
    return x[~chosen], y[~chosen], x[chosen], y[chosen]

# %% first_overfitting_epoch: looks_beyond_the_patience
def first_overfitting_epoch(train_loss, val_loss, patience):
    best, best_epoch, wait = float("inf"), 0, 0
    for e, v in enumerate(val_loss):
        if v < best:
            best, best_epoch, wait = v, e, 0
        else:
            wait += 1
            if wait >= patience and train_loss[e] < train_loss[best_epoch]:
                return best_epoch
    return None

# %% first_overfitting_epoch: zero_is_none
def first_overfitting_epoch(train_loss, val_loss, patience):
    found = 0
    for e in range(len(val_loss) - patience - 1, -1, -1):
        if val_loss[e] < min(val_loss[:e] + [9e9]) and val_loss[e] <= min(val_loss[e + 1:e + 1 + patience]) and train_loss[e + patience] < train_loss[e]:
            found = e
    return found or None

# %% first_overfitting_epoch: -
def first_overfitting_epoch(train_loss, val_loss, patience):
    for e in range(len(val_loss) - patience):
        if all(val_loss[e + i] > val_loss[e] + 0.01 for i in range(1, patience + 1)):
            return e
    return None

# %% l2_penalty: -
def l2_penalty(weights, lam):
    return lam * sum(tf.reduce_sum(w ** 2) for w in weights if len(w.shape) > 1)

# %% l2_penalty: takes_the_norm
def l2_penalty(weights, lam):
    return lam * sum([tf.sqrt(tf.reduce_sum(w * w)) for w in weights])

# %% regularized_loss: halves
def regularized_loss(loss, layers, lam):
    return loss + 0.5 * lam * sum(tf.reduce_sum(k ** 2) for k, b in layers)

# %% regularized_loss: matrices_only
def regularized_loss(loss, layers, lam):
    total = loss
    for kernel, bias in layers:
        if kernel.shape.rank == 2:
            total += lam * tf.reduce_sum(tf.square(kernel))
    return total

# %% regularized_loss: -
def regularized_loss(loss, layers, lam):
    return (1 - lam) * loss + l2_penalty([k for k, _ in layers], lam)

# %% decay_step: rate_twice
def decay_step(w, grad, learning_rate, lam):
    step = learning_rate * (grad + 2 * lam * w)
    return w - learning_rate * step

# %% decay_step: -
def decay_step(w, grad, learning_rate, lam):
    return w * np.exp(-2 * learning_rate * lam) - learning_rate * grad

# %% book_lambda: -
def book_lambda(lam, n):
    return lam / (2 * (n + 1))

# %% L2: halves
@keras.saving.register_keras_serializable("a5", "L2_of_mine")
class L2(keras.regularizers.Regularizer):
    def __init__(self, lam):
        self.lam = lam

    def __call__(self, x):
        return self.lam * tf.nn.l2_loss(x)

    def get_config(self):
        return {"lam": self.lam}

# %% bump_network: -
def bump_network(f, n):
    k = np.arange(n)
    h = np.array([f((i + 0.5) / n) for i in range(n)])
    steps = np.concatenate([k, k + 1]) / n
    return np.full((1, 2 * n), 50.0 * n), -50.0 * n * steps, np.concatenate([0.5 * h, -0.5 * h])[:, None], np.zeros(1)
