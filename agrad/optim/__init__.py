"""Optimizers, in order of increasing complexity, and learning-rate schedules."""

from agrad.optim import lr_scheduler, swa_utils
from agrad.optim.adafactor import Adafactor
from agrad.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from agrad.optim.asgd import ASGD
from agrad.optim.lbfgs import LBFGS
from agrad.optim.muon import Muon
from agrad.optim.optimizer import Optimizer
from agrad.optim.rmsprop import Adadelta, Adagrad, RMSprop
from agrad.optim.sgd import SGD, MomentumSGD
from agrad.optim.sign import Lion, Rprop

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "MomentumSGD",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
    "swa_utils",
]
