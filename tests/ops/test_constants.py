"""Constants: numbers of Python."""

import math

import agrad as ag


def test_constants_are_pythons():
    for name in ("e", "inf", "pi"):
        assert getattr(ag, name) == getattr(math, name)
        assert type(getattr(ag, name)) is float
    assert math.isnan(ag.__dict__["nan"])


def test_newaxis_is_an_index():
    assert {"newaxis": ag.newaxis} == {"newaxis": None}
    assert ag.zeros(3)[ag.newaxis, :].shape == (1, 3)
