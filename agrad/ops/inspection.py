"""Inspection: what can be asked of agrad before there are arrays."""

from typing import Any

from agrad.backends import backend_for, default_backend, get_default_device, known_devices
from agrad.dtypes import DType, dtype

__all__ = ["Info"]


class Info:
    """What agrad can do, and on which devices; `agrad.__array_namespace_info__` returns it.

    Examples
    --------
    >>> import agrad as ag
    >>> info = ag.__array_namespace_info__()
    >>> info.default_device(), info.default_dtypes()["integral"]
    ('cpu', agrad.int64)
    >>> sorted(info.dtypes(kind="complex floating"))
    ['complex128', 'complex64']
    """

    def capabilities(self) -> dict[str, Any]:
        """Return what the library of the default device can do.

        Returns
        -------
        dict
            ``"boolean indexing"`` and ``"data-dependent shapes"``, which are bools, and
            ``"max dimensions"``.
        """
        return dict(default_backend().library.__array_namespace_info__().capabilities())

    def default_device(self) -> str:
        """Return the device of new Tensors; see `agrad.set_default_device`.

        Returns
        -------
        str
            "cpu" unless it was set.
        """
        return get_default_device()

    def default_dtypes(self, *, device: str | None = None) -> dict[str, DType]:
        """Return the data types of Tensors made without one.

        Parameters
        ----------
        device : str, optional
            Where; on the default device if not given.

        Returns
        -------
        dict
            The data types for ``"real floating"``, ``"complex floating"``, ``"integral"`` and
            ``"indexing"``. `agrad.get_default_dtype` is another thing: that of parameters.
        """
        return self._ask("default_dtypes", device)

    def dtypes(
        self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, DType]:
        """Return the standard's data types that a device has.

        Parameters
        ----------
        device : str, optional
            Where; on the default device if not given.
        kind : str or tuple of str, optional
            Only those of a kind, or of several; see `agrad.isdtype`.

        Returns
        -------
        dict
            The data types, by name.
        """
        return self._ask("dtypes", device, kind=kind)

    def devices(self) -> tuple[str, ...]:
        """Return the devices that agrad knows: more can be had by naming them.

        Returns
        -------
        tuple of str
            "cpu", the devices that had Tensors so far, and the GPUs if CuPy has been imported.
        """
        return known_devices()

    def _ask(self, question: str, device: str | None, **options: Any) -> dict[str, DType]:
        backend = default_backend() if device is None else backend_for(device)
        answer = getattr(backend.library.__array_namespace_info__(), question)
        found = answer(device=backend.device, **options)
        return {name: dtype(raw) for name, raw in found.items()}


def __array_namespace_info__() -> Info:  # the standard's name
    """Return what can be asked of agrad as a namespace of the Array API standard.

    Returns
    -------
    Info
        It has ``capabilities``, ``default_device``, ``default_dtypes``, ``dtypes`` and ``devices``.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.__array_namespace_info__().capabilities()["boolean indexing"]
    True
    """
    return Info()
