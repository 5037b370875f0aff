"""Searching, sorting, sets and what else has a derivative by choosing elements."""

import numpy as np

from cases.indexing import mask
from cases.table import bools, case, floats

case("where", lambda xp, c, x, y: xp.where(c, x, y), mask, (2, 3), (2, 3))
case("where", lambda xp, c, x, y: xp.where(c, x, y), mask, (3,), ())
case("where", lambda xp, c, x, y: xp.where(c, x, y), bools([True, False]), (2, 2, 1), (1, 2))
case("where", lambda xp, c, x: xp.where(c, x, 0.5), mask, (2, 3))
case("where", lambda xp, c, x: xp.where(c, 0.5, x), mask, (3,))
case("where", lambda xp, c, x, y: xp.where(c, x, y), bools([True, False]),
     floats([1.0, np.nan]), floats([np.inf, 2.0]))  # fmt: skip
case("sort", lambda xp, x: xp.sort(x), (5,))
case("sort", lambda xp, x: xp.sort(x, axis=0), (4, 2))
case("sort", lambda xp, x: xp.sort(x, axis=-2, descending=True), (2, 3, 2))
case("sort", lambda xp, x: xp.sort(x), floats([2.0, 1.0, 2.0, 1.0]), smooth=False)

case("diff", lambda xp, x: xp.diff(x), (4,))
case("diff", lambda xp, x: xp.diff(x, axis=0, n=2), (4, 2))
case("diff", lambda xp, x, y, z: xp.diff(x, axis=1, prepend=y, append=z), (2, 3), (2, 1), (2, 2))
case("diff", lambda xp, x: xp.diff(x, n=3), (2,))
for i in (0, 1, 2):
    case("meshgrid", lambda xp, x, y, z, i=i: xp.meshgrid(x, y, z)[i], (2,), (3,), (1,))
    case("meshgrid", lambda xp, x, y, z, i=i: xp.meshgrid(x, y, z, indexing="ij")[i],
         (2,), (3,), (1,))  # fmt: skip
no_unique = {
    "reference": "its unique has no derivative, and there is no unique_all",
    "dask": "it doesn't know how many distinct values there are",
}
repeated = floats([[2.0, 1.0, 3.0], [1.0, 0.5, 2.0]])
for name in ("unique_all", "unique_counts", "unique_inverse"):
    case(name, lambda xp, x, n=name: getattr(xp, n)(x).values, (2, 3), without=no_unique)
    case(name, lambda xp, x, n=name: getattr(xp, n)(x).values, repeated, without=no_unique,
         smooth=False)  # fmt: skip
case("unique_values", lambda xp, x: xp.unique_values(x), (2, 3), without=no_unique)
case("unique_values", lambda xp, x: xp.unique_values(x), repeated, without=no_unique, smooth=False)
