"""What networks are built from, at PyTorch's names."""

from agrad.nn import functional, init
from agrad.nn.activation import ReLU, Tanh
from agrad.nn.linear import Linear
from agrad.nn.module import Module, ModuleList, ParameterList, Sequential

__all__ = [
    "Linear",
    "Module",
    "ModuleList",
    "ParameterList",
    "ReLU",
    "Sequential",
    "Tanh",
    "functional",
    "init",
]
