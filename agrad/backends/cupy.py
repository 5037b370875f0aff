"""CuPy: the backend of the devices "cuda", "cuda:0", "cuda:1", ..."""

import math
from collections.abc import Callable, Hashable, Sequence
from functools import cache, cached_property, partial, wraps
from typing import Any

import array_api_compat.cupy
import cupy

from agrad.backends import cuda_blas, cuda_fusion, cuda_kernels, cuda_windows
from agrad.backends.cuda_graphs import Graph
from agrad.backends.generic import AdamNumbers, Array, Backend, matmul_precision
from agrad.backends.special import Special

__all__ = ["CuPyBackend", "cuda", "device_count", "made"]


_MOST_JOINED = 8  # arrays


class CuPySpecial(Special):
    """CuPy's own special functions."""

    def find(self, name: str) -> Any:
        import cupyx.scipy.special

        return getattr(cupyx.scipy.special, name)


class CuPyLinalg:
    """CuPy's linear algebra, with what it lacks."""

    def __getattr__(self, name: str) -> Any:
        return getattr(array_api_compat.cupy.linalg, name)

    def solve(self, x1: Array, x2: Array) -> Array:
        """Return the solution of linear equations; CuPy's own doesn't broadcast."""
        if x2.ndim > 1:
            stack = cupy.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
            x1 = cupy.broadcast_to(x1, stack + x1.shape[-2:])
            x2 = cupy.broadcast_to(x2, stack + x2.shape[-2:])
        return cupy.linalg.solve(x1, x2)


class CuPyBackend(Backend):
    """CuPy on one GPU.

    CuPy makes arrays and runs kernels on the *current* device, which is per thread; so everything
    that this backend runs is run with its own device as the current one.
    """

    array_type = cupy.ndarray
    reads_values = False
    updates_together = True
    joinable = cuda_fusion.EXPRESSIONS.keys()

    def __init__(self, index: int) -> None:
        super().__init__(array_api_compat.cupy, cupy.cuda.Device(index), f"cuda:{index}")

    linalg = CuPyLinalg()

    @cached_property
    def special(self) -> Any:
        return CuPySpecial(self)

    def bind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        device, index = self.device, self.device.id
        current = cupy.cuda.runtime.getDevice

        @wraps(function, updated=())
        def on_device(*args: Any, **kwargs: Any) -> Any:
            if current() == index:
                return function(*args, **kwargs)
            with device:
                return function(*args, **kwargs)

        if isinstance(function, partial):  # it has no name of its own, for recorded steps to show
            on_device.__name__ = function.func.__name__.strip("_")
        return on_device

    def asarray(self, data: Any, dtype: Any = None, copy: bool | None = None) -> Array:
        with self.device:
            if copy:
                return cupy.array(data, dtype=dtype)
            array = cupy.asarray(data, dtype=dtype)  # copied where it must be
        if copy is False and array is not data:
            raise ValueError(f"this can't become an array on {self.name!r} without a copy")
        return array

    def to_host(self, array: Array) -> Array:
        with self.device:
            return cupy.asnumpy(array)

    def own(self, array: Array) -> Array:
        if array.base is None:
            return array
        with self.device:
            return array.copy()

    def memory(self, array: Array) -> Hashable:
        while array.base is not None:
            array = array.base
        return id(array)

    def may_share(self, x1: Array, x2: Array) -> bool:
        return x1.base is not None and self.memory(x1) == self.memory(x2)

    def assign(self, target: Array, key: Any, value: Any) -> Array:
        with self.device:
            target[key] = value
        return target

    def axpy(self, alpha: Any, x: Array, y: Array) -> Array:
        with self.device:
            if isinstance(alpha, cupy.ndarray):  # a number in a CUDA graph
                alpha = alpha.astype(y.dtype)
            _axpy()(alpha, x, y)
        return y

    def axpy_all(self, alpha: float, xs: Sequence[Array], ys: Sequence[Array]) -> list[Array]:
        with self.device:
            for x, y in cuda_kernels.axpy_all(alpha, list(zip(xs, ys, strict=True))):
                self.axpy(alpha, x, y)
        return list(ys)

    def momentum_all(
        self,
        momentum: float,
        lr: float,
        gs: Sequence[Array],
        vs: Sequence[Array],
        ps: Sequence[Array],
    ) -> tuple[list[Array], list[Array]]:
        with self.device:
            left = cuda_kernels.momentum_all(momentum, lr, list(zip(gs, vs, ps, strict=True)))
            if left:
                super().momentum_all(momentum, lr, *zip(*left, strict=True))
        return list(vs), list(ps)

    def joined(self, steps: Any, inputs: int) -> Callable[..., Any]:
        return self.bind(cuda_fusion.joined(steps, inputs))

    def graph(self, work: Callable[..., Any], kinds: Sequence[str]) -> Graph:
        return Graph(self.device, work, kinds)

    def sign(self, x: Array, /) -> Array:
        """Return the sign; array_api_compat's own looks at values, which a graph can't."""
        with self.device:
            if x.dtype.kind == "c":
                return cupy.where(x == 0, x, x / cupy.abs(x))
            out = cupy.sign(x)
            return cupy.where(cupy.isnan(x), x, out) if x.dtype.kind == "f" else out

    def concat(self, arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
        with self.device:
            return _joined(list(arrays), axis)

    def stack(self, arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
        with self.device:
            return _joined([cupy.expand_dims(x, axis) for x in arrays], axis)

    def adam_all(
        self,
        numbers: AdamNumbers,
        gs: Sequence[Array],
        ms: Sequence[Array],
        vs: Sequence[Array],
        ps: Sequence[Array],
    ) -> tuple[list[Array], list[Array], list[Array]]:
        with self.device:
            for each in cuda_kernels.adam_all(numbers, list(zip(gs, ms, vs, ps, strict=True))):
                _adam(numbers, *each)
        return list(ms), list(vs), list(ps)

    def softmax(self, x: Array, axis: int = -1) -> Array:
        kernel = cuda_kernels.has_rows(x, axis)
        return cuda_kernels.softmax(x) if kernel else super().softmax(x, axis)

    def log_softmax(self, x: Array, axis: int = -1) -> Array:
        kernel = cuda_kernels.has_rows(x, axis)
        return cuda_kernels.log_softmax(x) if kernel else super().log_softmax(x, axis)

    def matmul(self, x1: Array, x2: Array) -> Array:
        """Return the matrix product; a stack times one matrix is one product of all its rows.

        CuPy's own would multiply one after the other, and without tensor cores.
        """
        with self.device:
            if x1.ndim <= 2 or x2.ndim != 2:
                return cuda_blas.matmul(x1, x2)
            rows = x1.reshape(math.prod(x1.shape[:-1]), x1.shape[-1])
            return cuda_blas.matmul(rows, x2).reshape(*x1.shape[:-1], x2.shape[-1])

    def set_matmul_precision(self, precision: str) -> None:
        # CuPy has it for all GPUs together, but looks whether the current one knows TF32
        with self.device:
            cuda_blas.use_tf32(precision != "highest")

    def getitem(self, x: Array, key: Any) -> Array:
        return x[key]

    def scatter_add(self, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
        with self.device:
            result = cupy.zeros(shape, dtype=values.dtype)
            if result.dtype.kind == "c":  # whose parts CuPy adds, but not the whole
                cupy.add.at(result.real, key, values.real)
                cupy.add.at(result.imag, key, values.imag)
            else:
                cupy.add.at(result, key, values)
        return result

    def to_device(self, array: Array, target: Backend) -> Array:
        if target is self:
            return array
        if isinstance(target, CuPyBackend):  # from card to card, not by way of the host
            with target.device:
                return array.copy()  # cupy.asarray refuses views that have gaps
        return super().to_device(array, target)


def _joined(arrays: list[Array], axis: int | None) -> Array:
    """Return arrays joined along an axis.

    CuPy joins more than 8 at once by a table of them that it copies to the card, which can't be
    captured as part of a CUDA graph; there they are joined a few at a time.
    """
    while cuda_blas.is_direct() and len(arrays) > _MOST_JOINED:
        parts = range(0, len(arrays), _MOST_JOINED)
        arrays = [cupy.concatenate(arrays[i : i + _MOST_JOINED], axis=axis) for i in parts]
    return cupy.concatenate(arrays, axis=axis)


def _adam(numbers: AdamNumbers, g: Array, m: Array, v: Array, p: Array) -> None:
    """Take Adam's step for arrays that the kernel can't take."""
    g = numbers.sign * g + numbers.coupled * p
    m[...] = numbers.beta1 * m + (1 - numbers.beta1) * g
    v[...] = numbers.beta2 * v + (1 - numbers.beta2) * g * g
    d = m / (numbers.root * cupy.sqrt(v) + numbers.eps) + numbers.decoupled * p
    p -= numbers.lr * d


# Faster versions of functions that are written over the standard elsewhere ------------------------


def _affine_transform(xp: Backend, x: Array, W: Array, b: Array) -> Array:
    out = xp.matmul(x, W.T)
    if out.dtype != b.dtype:
        return out + b
    out += b
    return out


def _relu_x(xp: Backend, g: Array, out: Array) -> Array:
    return cuda_kernels.relu_x(g, out)


def _nll(xp: Backend, z: Array, key: Any, scale: float | None) -> Array:
    return cuda_kernels.nll(z, key, scale)


def _nll_z(xp: Backend, g: Array, z: Array, key: Any, scale: float | None) -> Array:
    return cuda_kernels.nll_z(g, z, key, scale)


def _standardize(xp: Backend, x: Array, axis: tuple[int, ...], eps: float) -> Array:
    return cuda_kernels.standardize(x, axis, eps)


def _standardize_x(
    xp: Backend, g: Array, x: Array, out: Array, axis: tuple[int, ...], eps: float
) -> Array:
    return cuda_kernels.standardize_x(g, x, out, axis, eps)


CuPyBackend.kernels = {
    "affine_transform": _affine_transform,
    "relu.x": _relu_x,
    "nll": _nll,
    "nll.z": _nll_z,
    "standardize": _standardize,
    "standardize.x": _standardize_x,
    "conv": cuda_windows.conv,
    "conv_bias": cuda_windows.conv_bias,
    "conv_input": cuda_windows.conv_input,
    "conv_weight": cuda_windows.conv_weight,
    "fold_windows": cuda_windows.fold_windows,
    "greatest_at": cuda_windows.greatest_at,
    "max_pool": cuda_windows.max_pool,
    "max_pool.x": cuda_windows.max_pool_x,
    "sum_pool": cuda_windows.sum_pool,
    "sum_unpool": cuda_windows.sum_unpool,
    "unfold_windows": cuda_windows.unfold_windows,
}


@cache
def _axpy() -> Any:
    """Return the kernel ``y += alpha * x``: one launch, and no temporary."""
    return cupy.ElementwiseKernel("T alpha, T x", "T y", "y += alpha * x", "agrad_axpy")


_made: dict[int, CuPyBackend] = {}  # by their numbers


def _backend(index: int) -> CuPyBackend:
    if index not in _made:
        backend = _made[index] = CuPyBackend(index)
        if matmul_precision.chosen is not None:
            backend.set_matmul_precision(matmul_precision.chosen)
    return _made[index]


def made() -> tuple[CuPyBackend, ...]:
    """Return the backends of the GPUs that have been used so far."""
    return tuple(_made.values())


def device_count() -> int:
    """Return how many GPUs can be used; 0 also where there is no driver."""
    try:
        return int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError:
        return 0


def cuda(index: int | None = None) -> CuPyBackend:
    """Return the backend of a GPU; of the current one when no number is given.

    Raises
    ------
    RuntimeError
        If no GPU can be used, or there is none of that number.
    """
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise RuntimeError(
            f"CuPy {cupy.__version__} is installed, but no GPU can be used: {error}"
        ) from None
    if count == 0:
        raise RuntimeError(f"CuPy {cupy.__version__} is installed, but it finds no GPU")
    if index is None:
        index = int(cupy.cuda.runtime.getDevice())
    if not 0 <= index < count:
        raise RuntimeError(f"there is no device 'cuda:{index}': this machine has {count} GPU(s)")
    return _backend(index)
