"""Optimizers, in order of increasing complexity."""

from agrad.optim.optimizer import Optimizer
from agrad.optim.sgd import SGD, MomentumSGD

__all__ = ["SGD", "MomentumSGD", "Optimizer"]
