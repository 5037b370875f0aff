"""Functions that networks are made of, at PyTorch's names."""

from agrad.nn.functional.activations import _RELU as _RELU
from agrad.nn.functional.activations import log_softmax, relu, softmax, tanh
from agrad.nn.functional.affine import affine_transform
from agrad.nn.functional.losses import _NLL as _NLL
from agrad.nn.functional.losses import cross_entropy, nll

__all__ = [
    "affine_transform",
    "cross_entropy",
    "log_softmax",
    "nll",
    "relu",
    "softmax",
    "tanh",
]
