"""Activations from their textbook formulas: a number of any precision, or a row of them, and options in.

``<name>_derivative`` is the derivative, for rows the Jacobian. ``<name>_settings`` replaces the settings that an
activation is tested at, where the ends of its options do not go together with the defaults of the others.
``PYTORCHS`` has PyTorch's layer and function, which the defaults must equal to the last bit; nothing for the package's
own.
"""

from __future__ import annotations

import mpmath as mp
import torch
from torch import nn
from torch.nn import functional

PYTORCHS = {
    "linear": (nn.Identity, lambda x: x),
    "clip": (nn.Hardtanh, functional.hardtanh),
    "relu": (nn.ReLU, functional.relu),
    "leaky_relu": (nn.LeakyReLU, functional.leaky_relu),
    "prelu": (nn.PReLU, lambda x: functional.prelu(x, torch.tensor([0.25], dtype=x.dtype))),
    "relu6": (nn.ReLU6, functional.relu6),
    "gelu": (nn.GELU, functional.gelu),
    "silu": (nn.SiLU, functional.silu),
    "mish": (nn.Mish, functional.mish),
    "hardswish": (nn.Hardswish, functional.hardswish),
    "tanh": (nn.Tanh, torch.tanh),
    "sigmoid": (nn.Sigmoid, torch.sigmoid),
    "softsign": (nn.Softsign, functional.softsign),
    "log_sigmoid": (nn.LogSigmoid, functional.logsigmoid),
    "softplus": (nn.Softplus, lambda x: functional.softplus(x, threshold=40.0)),
    "elu": (nn.ELU, functional.elu),
    "celu": (nn.CELU, functional.celu),
    "selu": (nn.SELU, functional.selu),
    "softmax": (nn.Softmax, lambda x: functional.softmax(x, -1)),
    "log_softmax": (nn.LogSoftmax, lambda x: functional.log_softmax(x, -1)),
    "softmin": (nn.Softmin, lambda x: functional.softmin(x, -1)),
}


def linear(x, slope):
    return slope * x


def linear_derivative(x, slope):
    return slope


clip_settings = [
    {"min": -1.0, "max": 1.0},
    {"min": -1e6, "max": 1.0},
    {"min": -1.0, "max": 1e6},
    {"min": -1e6, "max": -1.0},
    {"min": 1.0, "max": 1e6},
]


def clip(x, min, max):
    return min if x < min else max if x > max else x


def clip_derivative(x, min, max):
    return int(min < x < max)


def relu(x):
    return x if x > 0 else mp.mpf(0)


def relu_derivative(x):
    return int(x > 0)


def leaky_relu(x, slope):
    return x if x > 0 else slope * x


def leaky_relu_derivative(x, slope):
    return 1 if x > 0 else slope


def prelu(x, init, num_parameters):
    return x if x > 0 else init * x


def prelu_derivative(x, init, num_parameters):
    return 1 if x > 0 else init


def relu6(x):
    return clip(x, 0, 6)


def relu6_derivative(x):
    return clip_derivative(x, 0, 6)


_KAPPA = mp.mpf("0.044715")


def _inner(x):
    return mp.sqrt(2 / mp.pi) * (x + _KAPPA * x**3)


def gelu(x, approximate):
    return x * mp.erfc(-x / mp.sqrt(2)) / 2 if approximate == "none" else x / (1 + mp.exp(-2 * _inner(x)))


def gelu_derivative(x, approximate):
    if approximate == "none":
        return mp.erfc(-x / mp.sqrt(2)) / 2 + x * mp.exp(-(x**2) / 2) / mp.sqrt(2 * mp.pi)
    share = sigmoid(2 * _inner(x))
    return share + 2 * x * share * (1 - share) * mp.sqrt(2 / mp.pi) * (1 + 3 * _KAPPA * x**2)


def silu(x):
    return x * sigmoid(x)


def silu_derivative(x):
    return sigmoid(x) * (1 + x * (1 - sigmoid(x)))


def mish(x):
    return x * mp.tanh(mp.log1p(mp.exp(x)))


def mish_derivative(x):
    step = mp.tanh(mp.log1p(mp.exp(x)))
    return step + x * sigmoid(x) * (1 - step**2)


def hardswish(x):
    return x * clip(x + 3, 0, 6) / 6


def hardswish_derivative(x):
    return 0 if x < -3 else 1 if x > 3 else (2 * x + 3) / 6


def tanh(x):
    return mp.tanh(x)


def tanh_derivative(x):
    return mp.sech(x) ** 2


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def sigmoid_derivative(x):
    return sigmoid(x) * sigmoid(-x)


def softsign(x):
    return x / (1 + abs(x))


def softsign_derivative(x):
    return 1 / (1 + abs(x)) ** 2


def log_sigmoid(x):
    return -mp.log1p(mp.exp(-x))


def log_sigmoid_derivative(x):
    return sigmoid(-x)


def softplus(x, beta, threshold):
    return mp.log1p(mp.exp(beta * x)) / beta if beta * x <= threshold else x


def softplus_derivative(x, beta, threshold):
    return sigmoid(beta * x) if beta * x <= threshold else 1


def elu(x, alpha):
    return x if x > 0 else alpha * mp.expm1(x)


def elu_derivative(x, alpha):
    return 1 if x > 0 else alpha * mp.exp(x)


def celu(x, alpha):
    return x if x > 0 else alpha * mp.expm1(x / alpha)


def celu_derivative(x, alpha):
    return 1 if x > 0 else mp.exp(x / alpha)


def _selu_constants():
    """Scale and alpha that solve E f(z) = 0 and E f(z)^2 = 1 for standard normal z."""
    below, below_twice = (mp.exp(mp.mpf(k * k) / 2) * mp.ncdf(-k) for k in (1, 2))  # E e^{kz} for z < 0
    alpha = 1 / mp.sqrt(2 * mp.pi) / (mp.mpf(1) / 2 - below)
    return 1 / mp.sqrt(mp.mpf(1) / 2 + alpha**2 * (below_twice - 2 * below + mp.mpf(1) / 2)), alpha


def selu(x):
    scale, alpha = _selu_constants()
    return scale * elu(x, alpha)


def selu_derivative(x):
    scale, alpha = _selu_constants()
    return scale * elu_derivative(x, alpha)


def sine(x, omega):
    return mp.sin(omega * x)


def sine_derivative(x, omega):
    return omega * mp.cos(omega * x)


def snake(x, a):
    return x + mp.sin(a * x) ** 2 / a


def snake_derivative(x, a):
    return 1 + mp.sin(2 * a * x)


def softmax(row, dim=-1):
    weights = [mp.exp(x - max(row)) for x in row]
    return [weight / mp.fsum(weights) for weight in weights]


def softmax_derivative(row, dim=-1):
    shares = softmax(row)
    return [[p * ((i == j) - q) for j, q in enumerate(shares)] for i, p in enumerate(shares)]


def log_softmax(row, dim=-1):
    total = max(row) + mp.log(mp.fsum(mp.exp(x - max(row)) for x in row))
    return [x - total for x in row]


def log_softmax_derivative(row, dim=-1):
    shares = softmax(row)
    return [[(i == j) - q for j, q in enumerate(shares)] for i in range(len(row))]


def softmin(row, dim=-1):
    return softmax([-x for x in row])


def softmin_derivative(row, dim=-1):
    return [[-slope for slope in slopes] for slopes in softmax_derivative([-x for x in row])]


def sparsemax(row, dim=-1):
    """The point of the simplex with a threshold: of every size of support, the one that keeps its own promise."""
    for size in range(1, len(row) + 1):
        threshold = (mp.fsum(sorted(row)[-size:]) - 1) / size
        shares = [x - threshold if x > threshold else mp.mpf(0) for x in row]
        if abs(mp.fsum(shares) - 1) < mp.mpf("1e-40"):
            return shares
    raise AssertionError("a row has a nearest point of the simplex")


def sparsemax_derivative(row, dim=-1):
    chosen = [p > 0 for p in sparsemax(row)]
    return [
        [(i == j) - mp.mpf(1) / sum(chosen) if a and b else 0 for j, b in enumerate(chosen)]
        for i, a in enumerate(chosen)
    ]
