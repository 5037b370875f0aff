"""Random numbers, the same on every device: drawn on the host, then moved."""

from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING, Any

from agrad.autograd import wrap
from agrad.backends import CPU, Array, Backend, backend_for, default_backend, default_rng
from agrad.dtypes import get_default_dtype
from agrad.tensor import Tensor
from agrad.typing import DTypeLike, Shape

if TYPE_CHECKING:
    import numpy

__all__ = ["Generator", "default_generator", "manual_seed"]


class Generator:
    """A stream of random numbers that depends on its seed alone, not on the device.

    Parameters
    ----------
    seed : int, optional
        Where the stream starts; taken from the operating system if not given.

    Examples
    --------
    >>> import agrad as ag
    >>> a, b = ag.random.Generator(1), ag.random.Generator(1)
    >>> bool((a.uniform(0, 1, (3,)) == b.uniform(0, 1, (3,))).all())
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        self._made: numpy.random.Generator | None = None
        if seed is not None:
            self.manual_seed(seed)

    @property
    def _rng(self) -> "numpy.random.Generator":
        if self._made is None:  # not before it is needed: NumPy's random room takes time to open
            self._made = default_rng(None)
        return self._made

    def manual_seed(self, seed: int) -> None:
        """Start the stream anew from a seed.

        Parameters
        ----------
        seed : int
            A non-negative integer.

        Raises
        ------
        ValueError
            If it isn't one.

        Examples
        --------
        >>> import agrad as ag
        >>> a = ag.random.Generator(1)
        >>> first = a.permutation(5)
        >>> a.manual_seed(1)
        >>> bool((a.permutation(5) == first).all())
        True
        """
        if not isinstance(seed, Integral) or seed < 0:
            raise ValueError(f"a seed must be a non-negative integer, got {seed!r}")
        self._made = default_rng(int(seed))

    @property
    def state(self) -> dict[str, Any]:
        """Where the stream is; assign it to go on from there once more.

        Examples
        --------
        >>> import agrad as ag
        >>> a = ag.random.Generator(1)
        >>> state = a.state
        >>> first = a.permutation(5)
        >>> a.state = state
        >>> bool((a.permutation(5) == first).all())
        True
        """
        return dict(self._rng.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._rng.bit_generator.state = state

    def uniform(
        self,
        low: float,
        high: float,
        shape: Shape,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> Tensor:
        """Return numbers drawn evenly from low (included) to high (not included).

        Parameters
        ----------
        low, high : float
            The bounds. After rounding to the data type, a number may be equal to `high`.
        shape : tuple of int
            How many, in which shape.
        dtype : dtype or str, optional
            The data type; the default one (float32) if not given.
        device : str, optional
            Where to put them; the default device if not given. The numbers are the same everywhere.

        Returns
        -------
        Tensor
            Of that shape; it requires no gradient.

        Examples
        --------
        >>> import agrad as ag
        >>> x = ag.random.Generator(0).uniform(-1, 1, (2, 3))
        >>> x.shape, x.dtype, bool((abs(x) <= 1).all())
        ((2, 3), agrad.float32, True)
        """
        return _place(lambda: self._rng.uniform(low, high, shape), dtype, device)

    def normal(
        self,
        mean: float,
        std: float,
        shape: Shape,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> Tensor:
        """Return numbers drawn from the normal distribution.

        Parameters
        ----------
        mean, std : float
            Its mean and its standard deviation.
        shape : tuple of int
            How many, in which shape.
        dtype : dtype or str, optional
            The data type; the default one (float32) if not given.
        device : str, optional
            Where to put them; the default device if not given. The numbers are the same everywhere.

        Returns
        -------
        Tensor
            Of that shape; it requires no gradient.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.random.Generator(0).normal(0, 1, (2, 3)).shape
        (2, 3)
        """
        return _place(lambda: self._rng.normal(mean, std, shape), dtype, device)

    def permutation(self, n: int, *, device: str | None = None) -> Tensor:
        """Return the integers from 0 to n - 1 in random order.

        Parameters
        ----------
        n : int
            How many.
        device : str, optional
            Where to put them; the default device if not given.

        Returns
        -------
        Tensor
            Of shape (n,), of int64.

        Examples
        --------
        >>> import agrad as ag
        >>> sorted(ag.random.Generator(0).permutation(4).tolist())
        [0, 1, 2, 3]
        """
        return _place(lambda: self._rng.permutation(n), "int64", device)


def _place(draw: "Callable[[], numpy.ndarray]", dtype: DTypeLike, device: str | None) -> Tensor:
    """Draw and cast on the host, so that every device gets the same bits, then move."""
    wanted = get_default_dtype() if dtype is None else dtype
    target = default_backend() if device is None else backend_for(device)

    def drawn(xp: Backend) -> Array:
        return xp.from_host(CPU.astype(CPU.asarray(draw()), CPU.dtype(wanted)))

    return wrap(target.draw(drawn), target)


#: The generator of all that isn't given one of its own
default_generator = Generator()


def manual_seed(seed: int) -> None:
    """Start the default generator anew: same seed, same initial weights, on any device.

    Parameters
    ----------
    seed : int
        A non-negative integer.

    Raises
    ------
    ValueError
        If it isn't one.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.manual_seed(0)
    >>> first = ag.nn.Linear(2, 3).weight
    >>> ag.manual_seed(0)
    >>> bool((first == ag.nn.Linear(2, 3).weight).all())
    True
    """
    default_generator.manual_seed(seed)
