"""Tensor and Parameter: an array, its gradient, and how it was made."""

import math
import warnings
from collections.abc import Iterator
from itertools import count
from typing import Any, NoReturn, Self

from agrad import dtypes, ops
from agrad.autograd import (
    Hook,
    Leaf,
    Node,
    Variable,
    enable_grad,
    grad_of,
    lift,
    run_backward,
    wrap,
)
from agrad.backends import Array, Backend, backend_for, backend_of, numpy_functions
from agrad.ops.assignment import assign, update
from agrad.ops.data_types import to_array
from agrad.typing import DTypeLike, Shape, TensorLike
from agrad.writes import hand_out, note_write, settle

__all__ = ["Parameter", "RemovableHandle", "Tensor"]


class Tensor(Variable):
    """An array that remembers how it was made, so that gradients can be computed.

    Parameters
    ----------
    data : array, Tensor, number or nested lists
        The values. A raw array of any library that follows the Array API standard stays where it
        is, without a copy where that can be; lists and numbers become what the library makes of
        them. Of a Tensor the array is taken, not its history.
    dtype : dtype or str, optional
        The data type, such as ``agrad.float32``; by default that of the data.
    device : str, optional
        "cpu" (NumPy), "cuda" or "cuda:1" (CuPy), or another Tensor's ``device``. By default the
        data stays where it is, and lists go to the CPU.
    requires_grad : bool
        Whether to compute the gradient with respect to this Tensor.

    Attributes
    ----------
    grad : Tensor or None
        The gradient, of this Tensor's shape, data type and device, once `backward` has run.

    Raises
    ------
    TypeError
        If the data isn't made of numbers, or a gradient is asked for a Tensor that isn't of a
        floating-point type.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    Tensor([2., 4., 6.], dtype=float64)
    """

    __slots__ = ()

    def __init__(
        self,
        data: Any,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> None:
        self._data, self._backend = to_array(data, dtype, device, None)
        self._node = None
        self._grad = None
        if requires_grad:
            self.requires_grad = True

    # What it is ------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The raw array of the library that holds it. What is done to it isn't recorded.

        An array assigned to it must have its shape; it brings its own data type and device.
        """
        hand_out(self._backend, self._data)
        return self._data

    @data.setter
    def data(self, array: Array) -> None:
        if isinstance(array, Variable):
            array = array._data
        backend = backend_of(array)
        if array.dtype != self._data.dtype:
            array = backend.asarray(array)  # texts and dates are refused
        elif type(array) is not backend.array_type:
            array = backend.normalize(array)  # array * 2 is a scalar in NumPy for no dimensions
        if array.shape != self._data.shape:
            raise ValueError(
                f"data of shape {tuple(array.shape)} can't replace data of shape {self.shape}"
            )
        self._replace(array, backend)

    def _replace(self, array: Array, backend: Backend) -> None:
        """Put another array in place of the data; a leaf stays one, and its gradient goes along."""
        old = self._node
        if backend is self._backend and array.dtype == self._data.dtype:
            if array is self._data:  # t.data -= x
                note_write(self)
            else:
                settle()
            self._data = array
            return
        if old is not None and not dtypes.dtype(array.dtype).is_differentiable:
            raise TypeError(
                "a Tensor that requires a gradient must be of a floating-point type, got "
                f"{dtypes.dtype(array.dtype)!r}"
            )
        settle()
        grad = self.grad
        self._data, self._backend = array, backend
        if isinstance(old, Leaf):
            self._node = Leaf(self)
            self._node.hooks = old.hooks
        if grad is not None:
            self._grad = grad.detach().to(backend).to(array.dtype)

    @property
    def shape(self) -> Shape:
        """The length of each axis."""
        return tuple(self._data.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._data.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self._data.shape)

    @property
    def dtype(self) -> dtypes.DType:
        """The data type, equal to that of the same name in any library."""
        return dtypes.dtype(self._data.dtype)

    @property
    def device(self) -> str:
        """Where the array is: "cpu" for NumPy, "cuda:0" for CuPy, "torch:cpu" for PyTorch, ..."""
        return self._backend.name

    @property
    def real(self) -> "Tensor":
        """The real part; see `agrad.real`."""
        return ops.real(self)

    @property
    def imag(self) -> "Tensor":
        """The imaginary part; see `agrad.imag`."""
        return ops.imag(self)

    @property
    def T(self) -> "Tensor":
        """A matrix with its axes exchanged."""
        if self.ndim != 2:
            raise ValueError(
                f".T is for two dimensions, got shape {self.shape}; for stacks of matrices there "
                "is .mT, for any order of axes agrad.permute_dims"
            )
        return ops.matrix_transpose(self)

    @property
    def mT(self) -> "Tensor":
        """A stack of matrices, each with its axes exchanged."""
        return ops.matrix_transpose(self)

    # Gradients ---------------------------------------------------------------------------------

    @property
    def grad(self) -> "Tensor | None":
        """The gradient that `backward` left, of this Tensor's shape, data type and device."""
        return grad_of(self)

    @grad.setter
    def grad(self, value: "Tensor | None") -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"grad must be a Tensor or None, got {type(value).__name__}; wrap it in Tensor"
                )
            wanted, got = [(t.shape, t.dtype, t.device) for t in (self, value)]
            if got != wanted:
                raise ValueError(
                    "grad must be of the Tensor's shape {}, data type {} and device {!r}; got "
                    "{}, {} and {!r}".format(*wanted, *got)
                )
        self._grad = value

    @property
    def requires_grad(self) -> bool:
        """Whether `backward` computes a gradient with respect to it, or passes one through it."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value == self.requires_grad:
            return
        if not self.is_leaf:
            raise RuntimeError(
                "requires_grad can't be taken from the result of a function; use .detach()"
            )
        if value and not self.dtype.is_differentiable:
            raise TypeError(
                "only a Tensor of a floating-point type can require a gradient, got "
                f"{self.dtype!r}; cast it first, with .to(agrad.float32)"
            )
        self._node = Leaf(self) if value else None

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` and return the Tensor itself.

        Parameters
        ----------
        requires_grad : bool
            Whether to compute the gradient with respect to it.

        Returns
        -------
        Tensor
            The Tensor itself.

        Raises
        ------
        RuntimeError
            If it is the result of a recorded function.
        TypeError
            If it isn't of a floating-point type.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.Tensor([1.0]).requires_grad_().requires_grad
        True
        """
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the user made it, rather than a function that was recorded."""
        return not isinstance(self._node, Node)

    def backward(
        self,
        gradient: TensorLike | None = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Add to each leaf's ``grad`` the gradient of this Tensor with respect to it.

        Parameters
        ----------
        gradient : Tensor, array or number, optional
            The gradient of the final result with respect to this Tensor, of this Tensor's shape; 1
            by default, for a Tensor of one element.
        retain_graph : bool
            Keep the graph, to walk it again. Otherwise its memory is freed on the way.
        create_graph : bool
            Record the walk itself, so that gradients can be differentiated again. The graph is
            kept.

        Raises
        ------
        RuntimeError
            If the Tensor requires no gradient, if the graph was freed by an earlier call, or if
            it has several elements and no gradient is given.
        ValueError
            If the gradient has another shape.

        Examples
        --------
        >>> import agrad as ag
        >>> x = ag.Tensor(3.0, requires_grad=True)
        >>> (x**3).backward(create_graph=True)
        >>> first, x.grad = x.grad, None
        >>> first.backward()
        >>> first.item(), x.grad.item()  # 3 x**2 and 6 x
        (27.0, 18.0)
        """
        if self._node is None:
            raise RuntimeError(
                "backward() on a Tensor that requires no gradient: none of what it was made from "
                "has requires_grad=True, or it was made under no_grad()"
            )
        seed = self._seed(gradient, create_graph)
        if create_graph:
            with enable_grad():
                run_backward(self, seed, over=ops)
        else:
            run_backward(self, seed, retain_graph=retain_graph)

    def _seed(self, gradient: TensorLike | None, create_graph: bool) -> Any:
        """Return the gradient to start from, checked."""
        data, backend = self._data, self._backend
        if gradient is None or isinstance(gradient, (int, float, complex)):
            if data.shape and self.size != 1:
                raise RuntimeError(
                    f"backward() on a Tensor of shape {self.shape} needs a gradient of that shape; "
                    "only for a single element is it 1 by default. Perhaps you meant .sum() or "
                    ".mean() before backward()"
                )
            value = 1.0 if gradient is None else gradient
            if gradient is None and self.dtype.is_complex:
                raise RuntimeError(
                    f"backward() on a Tensor of {self.dtype} needs a gradient: only for a real "
                    "number is it 1 by default. Perhaps you meant abs(), agrad.real or agrad.imag "
                    "before backward()"
                )
            seed = backend.asarray(value, dtype=data.dtype)
            if data.shape:
                seed = backend.call(_reshape, seed, data.shape)
            return wrap(seed, backend) if create_graph else seed
        place = self.device if isinstance(gradient, (list, tuple)) else None
        tensor = gradient if isinstance(gradient, Tensor) else Tensor(gradient, device=place)
        if tensor.dtype.is_complex and not self.dtype.is_complex:
            raise TypeError(
                f"backward(): the gradient of a Tensor of {self.dtype} can't be of {tensor.dtype}"
            )
        if tensor._backend is not backend:
            raise RuntimeError(
                f"backward(): the Tensor is on {self.device!r} and the gradient on "
                f"{tensor.device!r}; move it with .to({self.device!r})"
            )
        if tensor.shape != self.shape:
            raise ValueError(
                f"backward(): the gradient must have the Tensor's shape {self.shape}, "
                f"got {tensor.shape}"
            )
        tensor = ops.astype(tensor, self.dtype, copy=False)
        return tensor if create_graph else tensor._data

    def register_hook(self, hook: Hook) -> "RemovableHandle":
        """Call ``hook(gradient)`` in each backward pass, when this Tensor's gradient is complete.

        Parameters
        ----------
        hook : callable
            It gets the gradient as a Tensor, which it must not change in place. What it returns, if
            not None, takes its place.

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook away.

        Raises
        ------
        RuntimeError
            If the Tensor requires no gradient.

        Examples
        --------
        >>> import agrad as ag
        >>> x = ag.Tensor(2.0, requires_grad=True)
        >>> handle = x.register_hook(lambda g: g * 10)
        >>> (x * 3).backward()
        >>> x.grad.item()
        30.0
        >>> handle.remove()
        """
        if self._node is None:
            raise RuntimeError("a hook needs a Tensor that requires a gradient")
        if not callable(hook):
            raise TypeError(f"a hook is a function of the gradient, got {hook!r}")
        if self._node.hooks is None:
            self._node.hooks = {}
        return RemovableHandle(self._node.hooks, hook)

    def retain_grad(self) -> None:
        """Keep the gradient of this Tensor in ``grad`` though it isn't a leaf.

        Raises
        ------
        RuntimeError
            If the Tensor requires no gradient.

        Examples
        --------
        >>> import agrad as ag
        >>> x = ag.Tensor(2.0, requires_grad=True)
        >>> y = x * 3
        >>> y.retain_grad()
        >>> (y * y).backward()
        >>> y.grad.item()
        12.0
        """
        if self._node is None:
            raise RuntimeError("retain_grad() needs a Tensor that requires a gradient")
        if isinstance(self._node, Node):
            self._node.retain(self)

    def detach(self) -> "Tensor":
        """Return a Tensor of the same array, without the history: gradients stop here.

        Returns
        -------
        Tensor
            It shares its memory with this one, and requires no gradient.

        Examples
        --------
        >>> import agrad as ag
        >>> x = ag.Tensor([1.0], requires_grad=True)
        >>> x.detach().requires_grad
        False
        """
        lift(self)
        return wrap(self._data, self._backend)

    # Elsewhere ---------------------------------------------------------------------------------

    def to(self, device_or_dtype: Any, /) -> "Tensor":
        """Return the Tensor on another device, or cast to another data type; itself if it is there.

        Parameters
        ----------
        device_or_dtype : str or dtype
            A device ("cpu", "cuda:1") or a data type (``agrad.float32``, "float32").

        Returns
        -------
        Tensor
            Of the same shape. It stays in the graph: its gradient travels back.

        Raises
        ------
        ValueError
            If there is no such device.
        ImportError, RuntimeError
            If it is a GPU, and CuPy is not installed or can't use it.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.Tensor([1.0, 2.0]).to("cpu").to(ag.float32)
        Tensor([1., 2.], dtype=float32)
        """
        if isinstance(device_or_dtype, Backend) or not dtypes.is_dtype(device_or_dtype):
            return ops.to_device(self, device_or_dtype)
        return ops.astype(self, device_or_dtype, copy=False)

    def to_device(self, device: str, /, *, stream: Any = None) -> "Tensor":
        """Return the Tensor on another device; itself if it is there. The standard's name for `to`.

        Parameters
        ----------
        device : str
            "cpu", "cuda:1", "torch:cpu", or another Tensor's ``device``.
        stream : None
            Not supported.

        Returns
        -------
        Tensor
            Of the same shape. It stays in the graph: its gradient travels back.

        Raises
        ------
        ValueError
            If there is no such device, or a stream is given.
        ImportError, RuntimeError
            If it is a GPU, and CuPy is not installed or can't use it.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.Tensor([1.0]).to_device("cpu").device
        'cpu'
        """
        if stream is not None:
            raise ValueError(
                "to_device() takes no stream: it copies on the current one, which CuPy sets by "
                "`with stream:`"
            )
        return ops.to_device(self, device)

    def cpu(self) -> "Tensor":
        """Return the Tensor as NumPy's, on the CPU; see `to`.

        Returns
        -------
        Tensor
            Itself if it is there.
        """
        return ops.to_device(self, "cpu")

    def cuda(self, index: int | None = None) -> "Tensor":
        """Return the Tensor as CuPy's, on a GPU; see `to`.

        Parameters
        ----------
        index : int, optional
            The GPU's number; that of the current one by default.

        Returns
        -------
        Tensor
            Itself if it is there.

        Raises
        ------
        ImportError
            If CuPy is not installed.
        RuntimeError
            If CuPy can't use that GPU.
        """
        return ops.to_device(self, "cuda" if index is None else f"cuda:{index}")

    def numpy(self) -> Any:
        """Return the values as a NumPy array, brought to the host if need be.

        Returns
        -------
        ndarray
            On the CPU it is the Tensor's own array, not a copy.

        Raises
        ------
        RuntimeError
            If the Tensor requires a gradient, since NumPy would lose track of it.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.Tensor([1, 2]).numpy()
        array([1, 2])
        """
        if self._node is not None:
            raise RuntimeError(
                "a Tensor that requires a gradient doesn't become a NumPy array unasked, since "
                "NumPy records nothing; use .detach().numpy()"
            )
        return self._backend.to_host(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.device != "cpu":
            raise TypeError(
                f"this Tensor is on {self.device!r}; use .cpu() before NumPy's functions"
            )
        array = self.numpy()
        return array if dtype is None and not copy else array.astype(dtype or array.dtype)

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        import agrad

        if api_version is not None and api_version not in _API_VERSIONS:
            raise ValueError(
                f"agrad follows the versions {', '.join(_API_VERSIONS)} of the Array API standard, "
                f"got {api_version!r}"
            )
        return agrad

    def _exported(self) -> Array:
        """Return the raw array for other libraries, which would lose track of gradients."""
        if self._node is not None:
            raise BufferError(
                "a Tensor that requires a gradient isn't handed to other libraries, since they "
                "record nothing; use .detach()"
            )
        return self.data

    def __dlpack__(
        self,
        /,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        given = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        options = {name: value for name, value in given.items() if value is not None}

        def export(xp: Backend, array: Array) -> Any:
            return array.__dlpack__(**options)

        return self._backend.call(export, self._exported())

    def __dlpack_device__(self, /) -> tuple[Any, int]:
        kind, index = self._data.__dlpack_device__()
        return kind, index

    def item(self) -> Any:
        """Return the value of a Tensor of one element as a Python number.

        Returns
        -------
        bool, int, float or complex
            By the Tensor's data type.

        Raises
        ------
        ValueError
            If there is not exactly one element.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.Tensor([[2.5]]).item()
        2.5
        """
        if self.size != 1:
            raise ValueError(f"item() needs a Tensor of one element, got shape {self.shape}")
        return self._backend.to_host(self._data).item()

    def tolist(self) -> Any:
        """Return the values as nested lists of Python numbers, or as one number.

        Returns
        -------
        list or number
            One level of lists for each axis.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.Tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
        return self._backend.to_host(self._data).tolist()

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth of a Tensor of shape {self.shape} is ambiguous; use .any() or .all()"
            )
        return bool(self.item())

    def _number(self) -> Any:
        """Return the value for code, such as math.log, that may not know that gradients end."""
        if self._node is not None:
            warnings.warn(
                "a Tensor that requires a gradient becomes a Python number, so what is computed "
                "from it has no gradient; use .item() where that is meant, and functions of agrad "
                "instead of those of math where it isn't",
                stacklevel=3,
            )
        return self.item()

    def __int__(self) -> int:
        return int(self._number())

    def __float__(self) -> float:
        return float(self._number())

    def __complex__(self) -> complex:
        return complex(self._number())

    def __index__(self) -> int:
        if self.ndim or self.dtype.is_floating:
            raise TypeError(
                f"only an integer Tensor of no dimensions is an index, got {self.dtype} of shape "
                f"{self.shape}"
            )
        return int(self.item())

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a Tensor of no dimensions has no length")
        return int(self._data.shape[0])

    def __iter__(self) -> "Iterator[Tensor]":
        return (self[i] for i in range(len(self)))

    def __format__(self, spec: str) -> str:
        return (
            format(self.item(), spec) if spec and not self.ndim else object.__format__(self, spec)
        )

    def __repr__(self) -> str:
        host = self._backend.to_host(self._data)
        kind = type(self).__name__
        start = f"{kind}("
        text = backend_for("cpu").array2string(host, separator=", ", prefix=start)
        facts = [f"{start}{text}", f"dtype={self.dtype}", *self._more_facts()]
        return ", ".join(facts) + ")"

    def _more_facts(self) -> list[str]:
        facts = [] if self.device == "cpu" else [f"device={self.device!r}"]
        return [*facts, "requires_grad=True"] if self.requires_grad else facts

    def __copy__(self) -> NoReturn:
        raise TypeError("copy a Tensor with copy.deepcopy(), or share its array with .detach()")

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.is_leaf:
            raise TypeError(
                "only a leaf can be pickled or deep-copied, not the result of a recorded function; "
                "use .detach()"
            )
        host = backend_for("cpu").array(self._backend.to_host(self._data))
        facts = self.device, self.dtype, self.requires_grad
        return _rebuild, (type(self), host, facts, self._state())

    def _state(self) -> dict[str, Any]:
        return {"grad": self.grad}

    # Operators ---------------------------------------------------------------------------------

    def __add__(self, other: TensorLike) -> "Tensor":
        return ops.add(self, other)

    def __radd__(self, other: TensorLike) -> "Tensor":
        return ops.add(other, self)

    def __sub__(self, other: TensorLike) -> "Tensor":
        return ops.subtract(self, other)

    def __rsub__(self, other: TensorLike) -> "Tensor":
        return ops.subtract(other, self)

    def __mul__(self, other: TensorLike) -> "Tensor":
        return ops.multiply(self, other)

    def __rmul__(self, other: TensorLike) -> "Tensor":
        return ops.multiply(other, self)

    def __truediv__(self, other: TensorLike) -> "Tensor":
        return ops.divide(self, other)

    def __rtruediv__(self, other: TensorLike) -> "Tensor":
        return ops.divide(other, self)

    def __floordiv__(self, other: TensorLike) -> "Tensor":
        return ops.floor_divide(self, other)

    def __rfloordiv__(self, other: TensorLike) -> "Tensor":
        return ops.floor_divide(other, self)

    def __mod__(self, other: TensorLike) -> "Tensor":
        return ops.remainder(self, other)

    def __rmod__(self, other: TensorLike) -> "Tensor":
        return ops.remainder(other, self)

    def __divmod__(self, other: TensorLike) -> "tuple[Tensor, Tensor]":
        return ops.floor_divide(self, other), ops.remainder(self, other)

    def __rdivmod__(self, other: TensorLike) -> "tuple[Tensor, Tensor]":
        return ops.floor_divide(other, self), ops.remainder(other, self)

    def __pow__(self, other: TensorLike) -> "Tensor":
        return ops.pow(self, other)

    def __rpow__(self, other: TensorLike) -> "Tensor":
        return ops.pow(other, self)

    def __matmul__(self, other: TensorLike) -> "Tensor":
        return ops.matmul(self, other)

    def __rmatmul__(self, other: TensorLike) -> "Tensor":
        return ops.matmul(other, self)

    def __and__(self, other: TensorLike) -> "Tensor":
        return ops.bitwise_and(self, other)

    def __rand__(self, other: TensorLike) -> "Tensor":
        return ops.bitwise_and(other, self)

    def __or__(self, other: TensorLike) -> "Tensor":
        return ops.bitwise_or(self, other)

    def __ror__(self, other: TensorLike) -> "Tensor":
        return ops.bitwise_or(other, self)

    def __xor__(self, other: TensorLike) -> "Tensor":
        return ops.bitwise_xor(self, other)

    def __rxor__(self, other: TensorLike) -> "Tensor":
        return ops.bitwise_xor(other, self)

    def __lshift__(self, other: TensorLike) -> "Tensor":
        return ops.bitwise_left_shift(self, other)

    def __rlshift__(self, other: TensorLike) -> "Tensor":
        return ops.bitwise_left_shift(other, self)

    def __rshift__(self, other: TensorLike) -> "Tensor":
        return ops.bitwise_right_shift(self, other)

    def __rrshift__(self, other: TensorLike) -> "Tensor":
        return ops.bitwise_right_shift(other, self)

    def __neg__(self) -> "Tensor":
        return ops.negative(self)

    def __pos__(self) -> "Tensor":
        return ops.positive(self)

    def __abs__(self) -> "Tensor":
        return ops.abs(self)

    def __invert__(self) -> "Tensor":
        return ops.bitwise_invert(self)

    def __eq__(self, other: Any) -> "Tensor":  # type: ignore[override]
        return NotImplemented if _never_equal(other) else ops.equal(self, other)

    def __ne__(self, other: Any) -> "Tensor":  # type: ignore[override]
        return NotImplemented if _never_equal(other) else ops.not_equal(self, other)

    def __lt__(self, other: TensorLike) -> "Tensor":
        return ops.less(self, other)

    def __le__(self, other: TensorLike) -> "Tensor":
        return ops.less_equal(self, other)

    def __gt__(self, other: TensorLike) -> "Tensor":
        return ops.greater(self, other)

    def __ge__(self, other: TensorLike) -> "Tensor":
        return ops.greater_equal(self, other)

    __hash__ = object.__hash__  # by identity: Tensors serve as keys, whatever their values

    def __getitem__(self, key: Any) -> "Tensor":
        return ops.getitem(self, key)

    def __setitem__(self, key: Any, value: TensorLike) -> None:
        assign(self, key, value)

    # In place: into this Tensor's memory, which its views show as well

    def __iadd__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.add, other)

    def __isub__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.subtract, other)

    def __imul__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.multiply, other)

    def __itruediv__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.divide, other)

    def __ifloordiv__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.floor_divide, other)

    def __imod__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.remainder, other)

    def __ipow__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.pow, other)

    def __imatmul__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.matmul, other)

    def __iand__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.bitwise_and, other)

    def __ior__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.bitwise_or, other)

    def __ixor__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.bitwise_xor, other)

    def __ilshift__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.bitwise_left_shift, other)

    def __irshift__(self, other: TensorLike) -> "Tensor":
        return update(self, ops.bitwise_right_shift, other)

    # NumPy's own functions -----------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Answer ``np.exp(t)``, ``array * t`` and the like with agrad's functions."""
        return numpy_functions.call_ufunc(ops, ufunc, method, inputs, options)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Answer ``np.sum(t)``, ``np.concatenate([t, t])`` and the like with agrad's functions."""
        return numpy_functions.call_function(ops, function, args, kwargs)

    # Functions that PyTorch and NumPy have as methods too ----------------------------------------

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """Return the sum over axes; see `agrad.sum`."""
        return ops.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """Return the mean over axes; see `agrad.mean`."""
        return ops.mean(self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """Return the product over axes; see `agrad.prod`."""
        return ops.prod(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """Return the greatest element over axes; see `agrad.max`."""
        return ops.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """Return the smallest element over axes; see `agrad.min`."""
        return ops.min(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Any = None, *, correction: float = 0, keepdims: bool = False) -> "Tensor":
        """Return the variance over axes; see `agrad.var`."""
        return ops.var(self, axis=axis, correction=correction, keepdims=keepdims)

    def std(self, axis: Any = None, *, correction: float = 0, keepdims: bool = False) -> "Tensor":
        """Return the standard deviation over axes; see `agrad.std`."""
        return ops.std(self, axis=axis, correction=correction, keepdims=keepdims)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> "Tensor":
        """Return the index of the greatest element; see `agrad.argmax`."""
        return ops.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> "Tensor":
        """Return the index of the smallest element; see `agrad.argmin`."""
        return ops.argmin(self, axis=axis, keepdims=keepdims)

    def all(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """Return whether all elements are true; see `agrad.all`."""
        return ops.all(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """Return whether any element is true; see `agrad.any`."""
        return ops.any(self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: Any) -> "Tensor":
        """Return the elements in another shape; see `agrad.reshape`.

        Parameters
        ----------
        *shape : int, or one tuple of int
            The shape: ``t.reshape(2, -1)`` or ``t.reshape((2, -1))``.

        Returns
        -------
        Tensor
            Of that shape.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.Tensor([1, 2, 3, 4]).reshape(2, -1).tolist()
        [[1, 2], [3, 4]]
        """
        return ops.reshape(self, shape[0] if len(shape) == 1 else shape)

    def exp(self) -> "Tensor":
        """Return e to the power of each element; see `agrad.exp`."""
        return ops.exp(self)

    def log(self) -> "Tensor":
        """Return the natural logarithm of each element; see `agrad.log`."""
        return ops.log(self)

    def sqrt(self) -> "Tensor":
        """Return the square root of each element; see `agrad.sqrt`."""
        return ops.sqrt(self)

    def tanh(self) -> "Tensor":
        """Return the hyperbolic tangent of each element; see `agrad.tanh`."""
        return ops.tanh(self)


Variable.result_type = Tensor  # the engine, which stands to the left, makes its results of this


_API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")


def _never_equal(other: Any) -> bool:
    return other is None or isinstance(other, (str, list, tuple, dict))


def _reshape(xp: Any, x: Array, shape: Shape) -> Array:
    return xp.reshape(x, shape)


def _rebuild(
    kind: type[Tensor], host: Any, facts: tuple[str, Any, bool], state: dict[str, Any]
) -> Tensor:
    """Return a Tensor from what it was pickled as."""
    device, dtype, requires_grad = facts
    tensor = kind(host, dtype=dtype, device=device)
    tensor.requires_grad = requires_grad
    for name, value in state.items():
        setattr(tensor, name, value)
    return tensor


_hook_numbers = count()


class RemovableHandle:
    """What takes a hook away again."""

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self._key = next(_hook_numbers)  # not id(self): a handle may go before its hook does
        hooks[self._key] = hook
        self._hooks = hooks

    def remove(self) -> None:
        """Take the hook away; once is enough."""
        self._hooks.pop(self._key, None)


class Parameter(Tensor):
    """A Tensor that is trained: it requires a gradient, and modules and optimizers find it.

    Parameters
    ----------
    data : array, Tensor, number or nested lists
        The initial values; they are copied, since a Parameter is changed in place. Lists and
        numbers become of the default data type (float32).
    name : str, optional
        What it is called in messages.
    dtype, device, requires_grad
        As for `Tensor`; it requires a gradient unless told otherwise.

    Attributes
    ----------
    velocity : Tensor
        The momentum buffer, zeros at first, of the parameter's shape, data type and device. No
        gradient ever flows into it.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([[1.0, 2.0]], name="w")
    >>> w
    Parameter([[1., 2.]], dtype=float32, name='w', requires_grad=True)
    >>> w.velocity
    Tensor([[0., 0.]], dtype=float32)
    """

    __slots__ = ("_velocity", "name")

    def __init__(
        self,
        data: Any,
        *,
        name: str | None = None,
        dtype: DTypeLike = None,
        device: str | None = None,
        requires_grad: bool = True,
    ) -> None:
        if dtype is None and isinstance(data, (int, float, list, tuple)):
            dtype = dtypes.get_default_dtype()
        super().__init__(data, dtype=dtype, device=device, requires_grad=requires_grad)
        # Optimizers change it in place, so the memory must be its own.
        self._data = self._backend.asarray(self._data, copy=True)
        self.name = name
        self._velocity: Tensor | None = None

    @property
    def velocity(self) -> Tensor:
        """The momentum buffer; its memory is taken when it is first asked for."""
        if self._velocity is None:
            self._velocity = ops.zeros_like(self)
        return self._velocity

    @velocity.setter
    def velocity(self, value: Tensor | None) -> None:
        if value is not None and (value.shape != self.shape or value._backend != self._backend):
            raise ValueError(
                f"the velocity of a parameter of shape {self.shape} on {self.device!r} can't be of "
                f"shape {value.shape} on {value.device!r}"
            )
        self._velocity = None if value is None else value.detach()

    def _become(self, new: Tensor) -> None:
        """Take another's values, device and data type, with the gradient and the velocity."""
        self._replace(new._data, new._backend)

    def _replace(self, array: Array, backend: Backend) -> None:
        super()._replace(array, backend)
        if self._velocity is not None:
            self._velocity = self._velocity.to(backend).to(array.dtype)

    def _more_facts(self) -> list[str]:
        facts = super()._more_facts()
        return facts if self.name is None else [f"name={self.name!r}", *facts]

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "name": self.name, "_velocity": self._velocity}
