"""Indexing: parts of an array, read and replaced."""

from typing import Any

import numpy as np

from cases.table import bools, case, complex_between, ints

strict, pytorch = ("strict", "strict-device1"), ("torch", "reference")
no_steps_back = {"reference": "PyTorch has no slices of negative step"}
no_mixing = dict.fromkeys(
    strict,
    "array-api-strict takes arrays of integers beside integers only, and agrad after whole axes",
)
no_mixed_mask = dict.fromkeys(strict, "array-api-strict takes a mask as the only index")
no_moved_axes = no_mixing | dict.fromkeys(
    pytorch, "PyTorch leaves the indexed axes in place where an integer and an array stand apart"
)
KEYS: list[tuple[Any, tuple[int, ...], dict[str, str]]] = [
    (0, (3,), {}),
    (-1, (3, 2), {}),
    ((1, -2), (3, 2), {}),
    ((), (), {}),
    (..., (2, 3), {}),
    (slice(None), (3, 2), {}),
    (slice(1, 3), (4, 2), {}),
    (slice(None, None, 2), (5,), {}),
    (slice(-3, -1), (5,), {}),
    (slice(None, None, -1), (4,), no_steps_back),
    (slice(3, 0, -2), (5, 2), no_steps_back),
    (slice(2, 2), (4, 2), {}),
    ((slice(None), 1), (2, 3), {}),
    ((..., 0), (2, 3, 2), {}),
    ((0, ..., slice(1, None)), (2, 3, 2), {}),
    (None, (2,), {}),
    ((None, slice(None), None, 1), (2, 3), {}),
    ((..., None), (2, 3), {}),
    ((slice(None), slice(0, 0)), (2, 3), {}),
]
for key, shape, without in KEYS:
    case("getitem", lambda xp, x, k=key: x[k], shape, without=without)
    case("getitem", lambda xp, x, k=key: xp.getitem(x, k), shape, without=without)

mask = bools([[True, False, True], [False, False, True]])
case("getitem", lambda xp, x, m: x[m], (2, 3), mask)
case("getitem", lambda xp, x, m: x[m], (2, 3, 2), mask)
case("getitem", lambda xp, x, m: x[m], (2, 3), bools([True, False]))
case("getitem", lambda xp, x, m: x[m], (2, 3), np.zeros((2, 3), dtype=bool))
case("getitem", lambda xp, x, m: x[:, m], (2, 3), mask[0], without=no_mixed_mask)
case("getitem", lambda xp, x, i: x[i, i], (3, 3), ints([0, 2, 0]))
case("getitem", lambda xp, x, i, j: x[i, j], (3, 3), ints([[0], [-1]]), ints([1, 1, 2]))
case("getitem", lambda xp, x, i: x[i], (4,), ints([0, 2, 2, -1, 2]))
case("getitem", lambda xp, x, i: x[i], (4, 2), ints([[0, 1], [1, 3]]))
case("getitem", lambda xp, x, i: x[i], (4,), ints([]))
case("getitem", lambda xp, x, i: x[:, i], (2, 3), ints([2, 0, 2]))
case("getitem", lambda xp, x, i: x[..., i], (2, 2, 3), ints([2, 0, 2]), without=no_mixing)
case("getitem", lambda xp, x, i: x[1, :, i], (2, 2, 3), ints([2, 0, 2]), without=no_moved_axes)
case("getitem", lambda xp, x, i: x[i, 1:, i], (3, 2, 3), ints([2, 0, 2]), without=no_mixing)
case("getitem", lambda xp, x, i: x[None, i, ::2], (3, 3), ints([1, 1]), without=no_mixing)
case("getitem", lambda xp, x, i: x[1, i], (2, 3), ints([1, 1, 0]))
case("getitem", lambda xp, x, i: x[i], (3, 2), ints(1))

case("scatter_add", lambda xp, x, i: xp.scatter_add(x, i, (3,)), (4,), ints([0, 2, 2, -1]))
case("scatter_add", lambda xp, x: xp.scatter_add(x, slice(1, 3), (4, 2)), (2, 2))
case("scatter_add", lambda xp, x, m: xp.scatter_add(x, m, (2, 3)), (3,), mask)
case(
    "scatter_add",
    lambda xp, x, i: xp.scatter_add(x, (slice(None), i), (2, 2)),
    (2, 3),
    ints([1, 0, 1]),
)

for key in (0, (slice(None), 1), (..., slice(1, None)), ...):
    shape = np.zeros((2, 3))[key].shape
    case("setitem", lambda xp, x, v, k=key: xp.setitem(x, k, v), (2, 3), shape)
case("setitem", lambda xp, x, v: xp.setitem(x, 0, v), (2, 3), ())
case("setitem", lambda xp, x, m, v: xp.setitem(x, m, v), (2, 3), mask, (3,))
case("setitem", lambda xp, x, m: xp.setitem(x, m, 0.5), (2, 3), mask)
case("setitem", lambda xp, x, i, v: xp.setitem(x, i, v), (3,), ints([2, 0]), (2,))
case(
    "setitem",
    lambda xp, x, v: xp.setitem(x, 0, v),
    complex_between(-2, 2, 2),
    complex_between(-2, 2),
)

case("take", lambda xp, x, i: xp.take(x, i, axis=0), (3, 2), ints([2, 0, 2]))
case("take", lambda xp, x, i: xp.take(x, i, axis=-1), (2, 3), ints([1, 1]))
case("take", lambda xp, x, i: xp.take(x, i, axis=1), (2, 3, 2), ints([2, 0, 2]))
case("take", lambda xp, x, i: xp.take(x, i), (4,), ints([3, 0, 3]))
case("take", lambda xp, x, i: xp.take(x, i, axis=0), (3, 2), ints([]))
along = ints([[0, 2, 2], [1, 0, 1]])
case("take_along_axis", lambda xp, x, i: xp.take_along_axis(x, i), (2, 3), along)
case("take_along_axis", lambda xp, x, i: xp.take_along_axis(x, i, axis=0), (3, 3), along)
case("take_along_axis", lambda xp, x, i: xp.take_along_axis(x, i, axis=1), (2, 3), along[:, :1])
