"""agrad: automatic differentiation over any array library of the Array API standard."""

from agrad import (
    amp,
    backends,
    data,
    dtypes,
    fft,
    linalg,
    models,
    nn,
    ops,
    optim,
    random,
    special,
    transforms,
)
from agrad.autograd import enable_grad, is_grad_enabled, no_grad
from agrad.backends import (
    get_default_device,
    get_float32_matmul_precision,
    set_default_device,
    set_float32_matmul_precision,
)
from agrad.compile import compile
from agrad.dtypes import *
from agrad.io import load, save
from agrad.ops import *
from agrad.random import manual_seed
from agrad.tensor import Parameter, Tensor
from agrad.transforms import *

__version__ = "0.1.0"
__array_api_version__ = "2025.12"

__all__ = [
    "Parameter",
    "Tensor",
    "amp",
    "backends",
    "compile",
    "data",
    "dtypes",
    "enable_grad",
    "fft",
    "get_default_device",
    "get_float32_matmul_precision",
    "is_grad_enabled",
    "linalg",
    "load",
    "manual_seed",
    "models",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "random",
    "save",
    "set_default_device",
    "set_float32_matmul_precision",
    "special",
    "transforms",
]
__all__ += dtypes.__all__
__all__ += ops.__all__
__all__ += transforms.__all__
