"""Recurrent networks: what comes out at each place of a sequence goes in at the next."""

import math
from numbers import Integral
from typing import Any

from agrad.autograd import Primitive, record
from agrad.dtypes import get_default_dtype
from agrad.nn import init
from agrad.nn.functional import affine_transform, dropout, relu, tanh
from agrad.nn.functional.dropouts import check_p
from agrad.nn.functional.settings import check_size
from agrad.nn.module import Module
from agrad.ops import (
    add,
    concat,
    empty,
    expand_dims,
    getitem,
    matmul,
    matrix_transpose,
    permute_dims,
    reshape,
    squeeze,
    stack,
    zeros,
)
from agrad.ops.casting import cast_down, casting
from agrad.random import Generator
from agrad.tensor import Parameter, Tensor
from agrad.typing import DTypeLike, Shape

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]

State = tuple[Tensor, ...]  # h, and of an LSTM also c


# One step, given what its input and its state before come to --------------------------------------
# As one node each, for a step is made of some fifteen functions of small arrays.


def _sigmoid(xp: Any, x: Any) -> Any:
    # Exact to the last digit of 1, which is what counts here, and without overflow
    return (xp.tanh(x * 0.5) + 1) * 0.5


def _parts(xp: Any, gates: Any, n: int) -> list[Any]:
    size = gates.shape[-1] // n
    return [xp.getitem(gates, (..., slice(i * size, (i + 1) * size))) for i in range(n)]


def _lstm_gates(xp: Any, gates: Any) -> tuple[Any, Any, Any, Any]:
    """Return the input, forget, cell and output gates."""
    i, f, g, o = _parts(xp, gates, 4)
    return _sigmoid(xp, i), _sigmoid(xp, f), xp.tanh(g), _sigmoid(xp, o)


def _lstm(xp: Any, gates: Any, c: Any) -> Any:
    """Return h and c after the step, one above the other."""
    i, f, g, o = _lstm_gates(xp, gates)
    c = f * c + i * g
    return xp.stack([o * xp.tanh(c), c])


def _lstm_back(xp: Any, g: Any, o: Any, out: Any) -> tuple[Any, Any, Any]:
    """Return the gradients of h and of c after the step, and tanh(c)."""
    gh, gc, t = xp.getitem(g, 0), xp.getitem(g, 1), xp.tanh(xp.getitem(out, 1))
    return gh, gc + gh * o * (1 - t * t), t


def _lstm_gates_rule(xp: Any, g: Any, gates: Any, c: Any, out: Any) -> Any:
    i, f, cell, o = _lstm_gates(xp, gates)
    gh, gc, t = _lstm_back(xp, g, o, out)
    parts = [
        gc * cell * i * (1 - i),
        gc * c * f * (1 - f),
        gc * i * (1 - cell * cell),
        gh * t * o * (1 - o),
    ]
    return xp.concat(parts, axis=-1)


def _lstm_c_rule(xp: Any, g: Any, gates: Any, out: Any) -> Any:
    _, f, _, o = _lstm_gates(xp, gates)
    return _lstm_back(xp, g, o, out)[1] * f


_LSTM = Primitive("lstm_step", _lstm, gates=_lstm_gates_rule, c=_lstm_c_rule)


def _gru_gates(xp: Any, x: Any, h_gates: Any) -> tuple[Any, Any, Any, Any]:
    """Return the reset gate, the update gate, the new values, and what the reset gate lets in."""
    (xr, xz, xn), (hr, hz, hn) = _parts(xp, x, 3), _parts(xp, h_gates, 3)
    r, z = _sigmoid(xp, xr + hr), _sigmoid(xp, xz + hz)
    return r, z, xp.tanh(xn + r * hn), hn


def _gru(xp: Any, x: Any, h_gates: Any, h: Any) -> Any:
    _, z, n, _ = _gru_gates(xp, x, h_gates)
    return (1 - z) * n + z * h


def _gru_back(xp: Any, g: Any, x: Any, h_gates: Any, h: Any) -> tuple[Any, Any, Any, Any]:
    """Return the gradients of what goes into r, z and n, and r."""
    r, z, n, hn = _gru_gates(xp, x, h_gates)
    gn = g * (1 - z) * (1 - n * n)
    return gn * hn * r * (1 - r), g * (h - n) * z * (1 - z), gn, r


def _gru_x_rule(xp: Any, g: Any, x: Any, h_gates: Any, h: Any) -> Any:
    return xp.concat(_gru_back(xp, g, x, h_gates, h)[:3], axis=-1)


def _gru_h_gates_rule(xp: Any, g: Any, x: Any, h_gates: Any, h: Any) -> Any:
    gr, gz, gn, r = _gru_back(xp, g, x, h_gates, h)
    return xp.concat((gr, gz, gn * r), axis=-1)


def _gru_h_rule(xp: Any, g: Any, x: Any, h_gates: Any) -> Any:
    return g * _gru_gates(xp, x, h_gates)[1]


_GRU = Primitive("gru_step", _gru, x=_gru_x_rule, h_gates=_gru_h_gates_rule, h=_gru_h_rule)


def _affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if bias is None:
        return matmul(x, matrix_transpose(weight))
    return affine_transform(x, weight, bias)


class _Kind(Module):
    """What a kind of network does in a step; layers and cells have it in common."""

    gates: int  # how many times the length of the state is computed
    states: int  # of how many Tensors the state is
    nonlinearity = "tanh"
    input_size: int
    hidden_size: int

    def _check_sizes(self, **sizes: int) -> None:
        for name, size in sizes.items():
            check_size(type(self).__name__, name, size)

    def _step(self, x: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
        """Return the state after a step, given what the weights make of its input."""
        raise NotImplementedError

    def _make(self, shapes: dict[str, Shape], options: Any, generator: Generator | None) -> None:
        """Make parameters, drawn from U(-a, a), a = 1 / sqrt(hidden_size)."""
        dtype, device = options
        dtype = get_default_dtype() if dtype is None else dtype
        bound = 1 / math.sqrt(self.hidden_size)
        for name, shape in shapes.items():
            made = Parameter(empty(shape, dtype=dtype, device=device), name=name)
            init.uniform_(made, -bound, bound, generator=generator)
            setattr(self, name, made)


class _RNNKind(_Kind):
    gates, states = 1, 1

    def _check_nonlinearity(self) -> None:
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"{type(self).__name__}: nonlinearity must be 'tanh' or 'relu', got "
                f"{self.nonlinearity!r}"
            )

    def _step(self, x: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
        total = add(x, _affine(state[0], weight, bias))
        return (tanh(total) if self.nonlinearity == "tanh" else relu(total),)


class _LSTMKind(_Kind):
    gates, states = 4, 2

    def _step(self, x: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
        h, c = state
        both = record(_LSTM, (add(x, _affine(h, weight, bias)), c))
        return getitem(both, 0), getitem(both, 1)


class _GRUKind(_Kind):
    gates, states = 3, 1

    def _step(self, x: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
        (h,) = state
        return (record(_GRU, (x, _affine(h, weight, bias), h)),)


# Layers ------------------------------------------------------------------------------------------


class _Layers(_Kind):
    """Layers that run over a whole sequence, in one direction or in both."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        options: tuple[DTypeLike, str | None],
        generator: Generator | None,
    ) -> None:
        self._check_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        check_p(type(self).__name__, dropout, "dropout")
        projected: Any = proj_size  # an int, or an integer of NumPy
        if not isinstance(projected, Integral) or not 0 <= proj_size < hidden_size:
            raise ValueError(
                f"{type(self).__name__}: proj_size must be an integer from 0 to less than "
                f"hidden_size = {hidden_size}, got {proj_size!r}"
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = int(num_layers)
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self.generator = generator
        rows, out = self.gates * hidden_size, proj_size or hidden_size
        for i in range(num_layers * self._directions):
            length = input_size if i < self._directions else out * self._directions
            shapes: dict[str, Shape] = {"weight_ih": (rows, length), "weight_hh": (rows, out)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            end = self._end(i)
            self._make({name + end: shape for name, shape in shapes.items()}, options, generator)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _end(self, i: int) -> str:
        """Return how the names of the parameters of one run end: "_l0", "_l0_reverse", ..."""
        layer, is_reverse = divmod(i, self._directions)
        return f"_l{layer}_reverse" if is_reverse else f"_l{layer}"

    def _run_all(self, input: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Return what the last layer gives at each place, and the last states of all runs."""
        single = input.ndim == 2
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            order = "(N, L, {0})" if self.batch_first else "(L, N, {0})"
            wanted = f"{order} or (L, {{0}})".format(self.input_size)
            raise ValueError(
                f"{type(self).__name__} needs an input of shape {wanted}, got {tuple(input.shape)}"
            )
        x = input
        if single:
            x = expand_dims(x, axis=1)
        elif self.batch_first:
            x = permute_dims(x, (1, 0, 2))
        if x.shape[0] == 0:
            raise ValueError(f"{type(self).__name__} needs a sequence of at least one place")
        state = self._first_state(x, state, single)
        last: list[State] = []
        for layer in range(self.num_layers):
            outs = []
            for i in range(layer * self._directions, (layer + 1) * self._directions):
                out, after = self._run(x, tuple(getitem(s, i) for s in state), i)
                outs.append(out)
                last.append(after)
            x = concat(outs, axis=-1) if self.bidirectional else outs[0]
            if layer < self.num_layers - 1:
                x = dropout(x, self.dropout, self.training, generator=self.generator)
        after = tuple(stack(list(each)) for each in zip(*last, strict=True))
        if single:
            return squeeze(x, axis=1), tuple(squeeze(s, axis=1) for s in after)
        return permute_dims(x, (1, 0, 2)) if self.batch_first else x, after

    def _first_state(self, x: Tensor, state: State | None, single: bool) -> State:
        """Return the states that all runs begin with, of shape (runs, N, length) each."""
        runs = self.num_layers * self._directions
        lengths = (self.proj_size or self.hidden_size, self.hidden_size)[: self.states]
        shapes = [(runs, x.shape[1], length) for length in lengths]
        if state is None:
            return tuple(zeros(shape, dtype=x.dtype, device=x.device) for shape in shapes)
        wanted = [(shape[0], shape[2]) if single else shape for shape in shapes]
        if isinstance(state, Tensor) or [tuple(s.shape) for s in state] != wanted:
            given = (state,) if isinstance(state, Tensor) else state
            got = ", ".join(str(tuple(s.shape)) for s in given)
            raise ValueError(
                f"{type(self).__name__} needs a first state of shape "
                f"{', '.join(map(str, wanted))}; got {got}"
            )
        return tuple(expand_dims(s, axis=1) for s in state) if single else state

    def _run(self, x: Tensor, state: State, i: int) -> tuple[Tensor, State]:
        """Run one layer in one direction over (L, N, length)."""
        parameters = vars(self)
        end = self._end(i)
        w_ih, w_hh = parameters["weight_ih" + end], parameters["weight_hh" + end]
        b_ih, b_hh = parameters.get("bias_ih" + end), parameters.get("bias_hh" + end)
        w_hr = parameters.get("weight_hr" + end)
        if casting.state:  # once, and not at each place
            x, w_ih, w_hh, b_ih, b_hh, w_hr = cast_down(x, w_ih, w_hh, b_ih, b_hh, w_hr)
        ready = _affine(reshape(x, (-1, x.shape[-1])), w_ih, b_ih)
        places = _places(reshape(ready, (*x.shape[:2], w_ih.shape[0])))
        backwards = i % self._directions == 1
        outs = []
        for place in reversed(places) if backwards else places:
            state = self._step(place, state, w_hh, b_hh)
            if w_hr is not None:
                state = matmul(state[0], matrix_transpose(w_hr)), *state[1:]
            outs.append(state[0])
        return stack(outs[::-1] if backwards else outs), state

    def extra_repr(self) -> str:
        defaults: dict[str, Any] = {
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
        }
        defaults |= {"bidirectional": False, "proj_size": 0, "nonlinearity": "tanh"}
        shown = [f"{self.input_size}, {self.hidden_size}"]
        for name, default in defaults.items():
            value = getattr(self, name)
            shown += [f"{name}={value!r}"] if value != default else []
        return ", ".join(shown)


def _places(x: Tensor) -> list[Tensor]:
    """Return x[0], x[1], ...

    They are taken by halves: the gradient of each part is as large as what it was taken from.
    """
    n = x.shape[0]
    if n == 1:
        return [squeeze(x, axis=0)]
    half = n // 2
    return [*_places(getitem(x, slice(half))), *_places(getitem(x, slice(half, None)))]


class RNN(_RNNKind, _Layers):
    """Layers of h' = tanh(W_ih x + b_ih + W_hh h + b_hh), one step for each place of a sequence.

    Parameters
    ----------
    input_size : int
        The length of the vectors that come in.
    hidden_size : int
        The length H of h.
    num_layers : int
        How many layers there are; each runs over what the one before gives.
    nonlinearity : {"tanh", "relu"}
        What h' is made by.
    bias : bool
        Whether there are biases.
    batch_first : bool
        Whether the batch is the first axis of what comes in and goes out, rather than the second.
    dropout : float
        The probability that a value between two layers is dropped in training.
    bidirectional : bool
        Whether each layer also runs backwards; what both give stands side by side.
    dtype : dtype or str, optional
        The data type of the parameters; the default one (float32) if not given.
    device : str, optional
        Where the parameters are; the CPU if not given.
    generator : Generator, optional
        Where the initial weights and the random numbers of dropout come from.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        Of shapes (H, length of what comes in), (H, H), (H,) and (H,), and so on: those of layer k
        end in ``_lk``, those of its run backwards in ``_lk_reverse``. All are first drawn from
        U(-a, a), a = 1 / sqrt(H).

    Raises
    ------
    ValueError
        If a size isn't a positive integer, a setting isn't known, or what comes in doesn't fit.

    References
    ----------
    J. L. Elman, "Finding structure in time", Cognitive Science 14(2), 1990.

    Examples
    --------
    >>> import agrad as ag
    >>> network = ag.nn.RNN(3, 4, num_layers=2)
    >>> out, last = network(ag.ones((10, 5, 3), dtype=ag.float32))
    >>> out.shape, last.shape
    ((10, 5, 4), (2, 5, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.nonlinearity = nonlinearity
        self._check_nonlinearity()
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            0,
            (dtype, device),
            generator,
        )

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return h of the last layer at each place, and the last h of all layers.

        Parameters
        ----------
        input : Tensor
            Of shape (L, N, input_size), or (N, L, input_size) with `batch_first`; or without a
            batch (L, input_size).
        hx : Tensor, optional
            The first h of all layers, of shape (D num_layers, N, H), with D = 2 for two directions;
            zeros if not given.

        Returns
        -------
        output : Tensor
            Of the shape of `input`, but with D H for input_size.
        h_n : Tensor
            Of the shape of `hx`.
        """
        output, (h,) = self._run_all(input, None if hx is None else (hx,))
        return output, h


class LSTM(_LSTMKind, _Layers):
    """Layers of long short-term memory, one step for each place of a sequence.

    A step makes of x, h and c the gates i, f, o = σ(W x + b + W' h + b') and the values
    g = tanh(W x + b + W' h + b'), each with its own weights; then c' = f c + i g, h' = o tanh(c').

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As for `RNN`.
    proj_size : int
        If not 0, h' is multiplied by a matrix that makes it this long.
    dtype, device, generator
        As for `RNN`.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        As for `RNN`, but with 4 H rows: those of i, f, g and o. With `proj_size` there is also
        weight_hr_l0, of shape (proj_size, H).

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997;
    F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget: continual prediction with
    LSTM", Neural Computation 12(10), 2000.

    Examples
    --------
    >>> import agrad as ag
    >>> network = ag.nn.LSTM(3, 4, bidirectional=True)
    >>> out, (h, c) = network(ag.ones((10, 5, 3), dtype=ag.float32))
    >>> out.shape, h.shape, c.shape
    ((10, 5, 8), (2, 5, 4), (2, 5, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            (dtype, device),
            generator,
        )

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return h of the last layer at each place, and the last h and c of all layers.

        Parameters
        ----------
        input : Tensor
            As for `RNN`.
        hx : tuple of two Tensors, optional
            The first h and c of all layers, of shapes (D num_layers, N, proj_size or H) and
            (D num_layers, N, H); zeros if not given.

        Returns
        -------
        output : Tensor
            Of the shape of `input`, but with D H (or D proj_size) for input_size.
        h_n, c_n : tuple of two Tensors
            Of the shapes of `hx`.
        """
        output, (h, c) = self._run_all(input, hx)
        return output, (h, c)


class GRU(_GRUKind, _Layers):
    """Layers of gated recurrent units, one step for each place of a sequence.

    A step makes of x and h the gates r, z = σ(W x + b + W' h + b') and the values
    n = tanh(W x + b + r (W' h + b')), each with its own weights; then h' = (1 - z) n + z h.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As for `RNN`.
    dtype, device, generator
        As for `RNN`.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        As for `RNN`, but with 3 H rows: those of r, z and n.

    References
    ----------
    K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation", EMNLP 2014; with the reset gate behind the matrix, not before it.

    Examples
    --------
    >>> import agrad as ag
    >>> network = ag.nn.GRU(3, 4, batch_first=True)
    >>> out, last = network(ag.ones((5, 10, 3), dtype=ag.float32))
    >>> out.shape, last.shape
    ((5, 10, 4), (1, 5, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            0,
            (dtype, device),
            generator,
        )

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return h of the last layer at each place, and the last h of all layers.

        Parameters
        ----------
        input, hx : Tensor
            As for `RNN`.

        Returns
        -------
        output, h_n : Tensor
            As for `RNN`.
        """
        output, (h,) = self._run_all(input, None if hx is None else (hx,))
        return output, h


# Cells -------------------------------------------------------------------------------------------


class _Cell(_Kind):
    """A single step."""

    weight_ih: Parameter
    weight_hh: Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        options: tuple[DTypeLike, str | None],
        generator: Generator | None,
    ) -> None:
        self._check_sizes(input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = self.gates * hidden_size
        shapes: dict[str, Shape] = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, hidden_size),
        }
        self.bias_ih: Parameter | None = None
        self.bias_hh: Parameter | None = None
        if bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        self._make(shapes, options, generator)

    def _run(self, x: Tensor, state: State | None) -> State:
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"{type(self).__name__} needs an input of shape (N, {self.input_size}) or "
                f"({self.input_size},), got {tuple(x.shape)}"
            )
        shape = (*x.shape[:-1], self.hidden_size)
        if state is None:
            zero = zeros(shape, dtype=x.dtype, device=x.device)
            state = (zero,) * self.states
        if [tuple(s.shape) for s in state] != [shape] * self.states:
            got = ", ".join(str(tuple(s.shape)) for s in state)
            raise ValueError(f"{type(self).__name__} needs a state of shape {shape}, got {got}")
        ready = _affine(x, self.weight_ih, self.bias_ih)
        return self._step(ready, state, self.weight_hh, self.bias_hh)

    def extra_repr(self) -> str:
        bias = "" if self.bias else ", bias=False"
        kind = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity!r}"
        return f"{self.input_size}, {self.hidden_size}{bias}{kind}"


class RNNCell(_RNNKind, _Cell):
    """One step of an `RNN`: h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Parameters
    ----------
    input_size, hidden_size : int
        The lengths of x and of h.
    bias : bool
        Whether there are biases.
    nonlinearity : {"tanh", "relu"}
        What h' is made by.
    dtype, device, generator
        As for `RNN`.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : Parameter
        As weight_ih_l0 and so on of `RNN`; the biases are None if there are none.

    Examples
    --------
    >>> import agrad as ag
    >>> cell = ag.nn.RNNCell(3, 4)
    >>> cell(ag.ones((5, 3), dtype=ag.float32)).shape
    (5, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.nonlinearity = nonlinearity
        self._check_nonlinearity()
        super().__init__(input_size, hidden_size, bias, (dtype, device), generator)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return h'.

        Parameters
        ----------
        input : Tensor
            x, of shape (N, input_size) or (input_size,).
        hx : Tensor, optional
            h, of shape (N, hidden_size) or (hidden_size,); zeros if not given.

        Returns
        -------
        Tensor
            Of the shape of h.
        """
        (h,) = self._run(input, None if hx is None else (hx,))
        return h


class LSTMCell(_LSTMKind, _Cell):
    """One step of an `LSTM`.

    Parameters
    ----------
    input_size, hidden_size, bias, dtype, device, generator
        As for `RNNCell`.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : Parameter
        As weight_ih_l0 and so on of `LSTM`; the biases are None if there are none.

    Examples
    --------
    >>> import agrad as ag
    >>> cell = ag.nn.LSTMCell(3, 4)
    >>> h, c = cell(ag.ones((5, 3), dtype=ag.float32))
    >>> h.shape, c.shape
    ((5, 4), (5, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, (dtype, device), generator)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return h' and c'.

        Parameters
        ----------
        input : Tensor
            x, of shape (N, input_size) or (input_size,).
        hx : tuple of two Tensors, optional
            h and c, of shape (N, hidden_size) or (hidden_size,); zeros if not given.

        Returns
        -------
        tuple of two Tensors
            Of the shapes of h and c.
        """
        h, c = self._run(input, hx)
        return h, c


class GRUCell(_GRUKind, _Cell):
    """One step of a `GRU`.

    Parameters
    ----------
    input_size, hidden_size, bias, dtype, device, generator
        As for `RNNCell`.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : Parameter
        As weight_ih_l0 and so on of `GRU`; the biases are None if there are none.

    Examples
    --------
    >>> import agrad as ag
    >>> cell = ag.nn.GRUCell(3, 4)
    >>> cell(ag.ones((5, 3), dtype=ag.float32)).shape
    (5, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, (dtype, device), generator)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return h'.

        Parameters
        ----------
        input : Tensor
            x, of shape (N, input_size) or (input_size,).
        hx : Tensor, optional
            h, of shape (N, hidden_size) or (hidden_size,); zeros if not given.

        Returns
        -------
        Tensor
            Of the shape of h.
        """
        (h,) = self._run(input, None if hx is None else (hx,))
        return h
