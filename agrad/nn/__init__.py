"""What networks are built from, at PyTorch's names."""

from agrad.nn import functional, init
from agrad.nn.activation import ReLU, Tanh
from agrad.nn.containers import (
    ModuleDict,
    ModuleList,
    ParameterDict,
    ParameterList,
    Sequential,
)
from agrad.nn.linear import Bilinear, Identity, Linear
from agrad.nn.module import Module
from agrad.nn.shape import Flatten, Unflatten
from agrad.nn.summary import summary

__all__ = [
    "Bilinear",
    "Flatten",
    "Identity",
    "Linear",
    "Module",
    "ModuleDict",
    "ModuleList",
    "ParameterDict",
    "ParameterList",
    "ReLU",
    "Sequential",
    "Tanh",
    "Unflatten",
    "functional",
    "init",
    "summary",
]
