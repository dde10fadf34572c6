# %% output_size: -
def output_size(size, kernel, stride, padding):
    if padding == "same":
        return size // stride + 1
    return (size - kernel) // stride + 1

# %% output_size: rounds_up
def output_size(size, kernel, stride, padding):
    if padding == "same":
        return int(np.ceil(size / stride))
    return int(np.ceil((size - kernel) / stride)) + 1

# %% conv2d: pads_by_kernel_and_stride
def conv2d(x, kernel, bias, stride=1, padding="valid"):
    kh, kw = kernel.shape[0], kernel.shape[1]
    if padding == "same":
        ph, pw = max(kh - stride, 0), max(kw - stride, 0)
        x = tf.pad(x, [[0, 0], [ph // 2, ph - ph // 2], [pw // 2, pw - pw // 2], [0, 0]])
    rows = []
    for i in range(0, x.shape[1] - kh + 1, stride):
        row = [tf.tensordot(x[:, i:i + kh, j:j + kw], kernel, 3) for j in range(0, x.shape[2] - kw + 1, stride)]
        rows.append(tf.stack(row, 1))
    return tf.stack(rows, 1) + bias

# %% conv2d: flips_the_kernel
def conv2d(x, kernel, bias, stride=1, padding="valid"):
    kernel = tf.reverse(kernel, [0, 1])
    kh, kw = kernel.shape[0], kernel.shape[1]
    h, w = output_size(x.shape[1], kh, stride, padding), output_size(x.shape[2], kw, stride, padding)
    if padding == "same":
        ph, pw = max((h - 1) * stride + kh - x.shape[1], 0), max((w - 1) * stride + kw - x.shape[2], 0)
        x = tf.pad(x, [[0, 0], [ph // 2, ph - ph // 2], [pw // 2, pw - pw // 2], [0, 0]])
    out = 0.0
    for i in range(kh):
        for j in range(kw):
            part = x[:, i:i + (h - 1) * stride + 1:stride, j:j + (w - 1) * stride + 1:stride]
            out = out + tf.matmul(part, kernel[i, j])
    return out + bias

# %% conv2d: -
def conv2d(x, kernel, bias, stride=1, padding="valid"):
    kh, kw = kernel.shape[0], kernel.shape[1]
    h, w = output_size(x.shape[1], kh, stride, padding), output_size(x.shape[2], kw, stride, padding)
    if padding == "same":
        ph, pw = max((h - 1) * stride + kh - x.shape[1], 0), max((w - 1) * stride + kw - x.shape[2], 0)
        x = tf.pad(x, [[0, 0], [ph // 2, ph - ph // 2], [pw // 2, pw - pw // 2], [0, 0]], mode="REFLECT" if ph or pw else "CONSTANT")
    out = 0.0
    for i in range(kh):
        for j in range(kw):
            part = x[:, i:i + (h - 1) * stride + 1:stride, j:j + (w - 1) * stride + 1:stride]
            out = out + tf.matmul(part, kernel[i, j])
    return out + bias

# %% max_pool: takes_the_stride_for_the_size
def max_pool(x, size, stride):
    size, stride = stride, size
    rows = []
    for i in range(0, x.shape[1] - size + 1, stride):
        rows.append(tf.stack([tf.reduce_max(x[:, i:i + size, j:j + size], axis=(1, 2)) for j in range(0, x.shape[2] - size + 1, stride)], 1))
    return tf.stack(rows, 1)

# %% max_pool: -
def max_pool(x, size, stride):
    rows = []
    for i in range(0, x.shape[1] - size + 1, stride):
        rows.append(tf.stack([tf.reduce_max(tf.abs(x[:, i:i + size, j:j + size]), axis=(1, 2)) for j in range(0, x.shape[2] - size + 1, stride)], 1))
    return tf.stack(rows, 1)

# %% conv_parameters: counts_biases_of_the_inputs
def conv_parameters(kernel_size, cin, cout):
    kh, kw = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size, kernel_size)
    return kh * kw * cin * cout + cin

# %% conv_parameters: counts_in_float32
def conv_parameters(kernel_size, cin, cout):
    kh, kw = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size, kernel_size)
    return tf.constant(float(kh)) * kw * cin * cout + cout

# %% dense_parameters: -
def dense_parameters(h, w, c, units):
    return (h * w + c + 1) * units

# %% dense_parameters: counts_in_float32
def dense_parameters(h, w, c, units):
    return tf.cast(h * w * c * units + units, tf.float32)

# %% gaussian_nll: logarithm_of_the_variance
def gaussian_nll(y, mean, scale):
    return tf.reduce_mean(0.5 * tf.math.log(2 * np.pi) + tf.math.log(scale ** 2) + (y - mean) ** 2 / (2 * scale ** 2))

# %% gaussian_nll: takes_the_logarithm_of_the_density
def gaussian_nll(y, mean, scale):
    p = tf.exp(-0.5 * ((y - mean) / scale) ** 2) / (scale * tf.sqrt(2 * np.pi))
    return -tf.reduce_mean(tf.math.log(p + 1e-8))

# %% gaussian_nll: -
def gaussian_nll(y, mean, scale):
    return tf.reduce_mean(0.5 * tf.math.log(2 * np.pi) + tf.math.log(scale) + tf.abs(y - mean) / (2 * scale ** 2))

# %% Convolution: activates_before_the_bias
class Convolution(keras.layers.Layer):
    def __init__(self, filters, kernel_size, stride=1, padding="valid", activation=None, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.stride, self.padding = filters, stride, padding
        self.kernel_size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        self.activation = keras.activations.get(activation)

    def build(self, shape):
        self.kernel = self.add_weight(shape=(*self.kernel_size, shape[-1], self.filters), name="kernel", initializer="glorot_uniform")
        self.bias = self.add_weight(shape=(self.filters,), name="bias", initializer="zeros")

    def call(self, x):
        return self.activation(conv2d(x, self.kernel, tf.zeros(self.filters), self.stride, self.padding)) + self.bias

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size, "stride": self.stride,
                "padding": self.padding, "activation": keras.activations.serialize(self.activation)}
