"""Functions without a derivative that says anything."""

import numpy as np

import agrad as ag
from cases.indexing import mask
from cases.searching import repeated
from cases.table import bools, flat, floats, ints

some = floats([[-2.5, -0.5, 0.0], [0.5, 1.5, 3.0]])
strange = floats([np.nan, np.inf, -np.inf, -0.0, 1.0])
for name in ("ceil", "floor", "round", "sign", "trunc"):
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x), some)
for name in ("isfinite", "isinf", "isnan", "signbit"):
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x), strange)
for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    flat(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), some, some[:, ::-1])
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x, 0.5), some)
for name in ("floor_divide", "nextafter"):
    flat(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), some, floats([0.75, 2.0, -1.0]))
for name in ("logical_and", "logical_or", "logical_xor"):
    flat(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), mask, bools([True, True, False]))
flat("logical_not", lambda xp, x: xp.logical_not(x), mask)
for name in ("and", "or", "xor", "left_shift", "right_shift"):
    name = f"bitwise_{name}"
    flat(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), ints([[12], [7]]), ints([0, 1, 3]))
flat("bitwise_invert", lambda xp, x: xp.bitwise_invert(x), ints([0, 5, -3]))
flat("bitwise_invert", lambda xp, x: xp.bitwise_invert(x), mask)
for name in ("argmax", "argmin"):
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x), some)
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=-2, keepdims=True), some)
flat("argsort", lambda xp, x: xp.argsort(x), (2, 4))
flat("argsort", lambda xp, x: xp.argsort(x, axis=0, descending=True), (4, 2))
flat("count_nonzero", lambda xp, x: xp.count_nonzero(x), some)
flat("count_nonzero", lambda xp, x: xp.count_nonzero(x, axis=-1, keepdims=True), some)
flat("nonzero", lambda xp, x: xp.nonzero(x)[0], some)
flat("nonzero", lambda xp, x: xp.nonzero(x)[1], some)
rising, few = floats([-1.0, 0.0, 0.0, 2.0]), floats([[0.0, 3.0], [-5.0, 1.0]])
for side in ("left", "right"):
    flat("searchsorted", lambda xp, x, y, s=side: xp.searchsorted(x, y, side=s), rising, few)
    flat("searchsorted", lambda xp, x, s=side: xp.searchsorted(x, xp.asarray(0.0), side=s)
         if xp is not ag else xp.searchsorted(x, 0.0, side=s), rising,
         without={"dask": "its searchsorted fails for no dimensions"})  # fmt: skip
flat("searchsorted", lambda xp, x, y, i: xp.searchsorted(x, y, sorter=i),
     rising[[2, 0, 3, 1]], few, ints([1, 0, 3, 2]))  # fmt: skip
flat("isin", lambda xp, x, y: xp.isin(x, y), ints([[1, 2], [3, 2]]), ints([2, 5]))
flat("isin", lambda xp, x, y: xp.isin(x, y, invert=True), ints([[1, 2], [3, 2]]), ints([[2], [5]]))
for name in ("indices", "inverse_indices", "counts"):
    flat("unique_all", lambda xp, x, n=name: getattr(xp.unique_all(x), n), repeated)
for name in ("all", "any"):
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x), mask)
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=0, keepdims=True), mask)
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=(0, 1)), some)
