"""Attention with several heads."""

import math

from agrad.dtypes import get_default_dtype
from agrad.nn import init
from agrad.nn.functional import affine_transform
from agrad.nn.functional.attention import additive, as_mask, attend
from agrad.nn.functional.dropouts import check_p
from agrad.nn.linear import Linear
from agrad.nn.module import Module
from agrad.ops import (
    add,
    astype,
    broadcast_to,
    concat,
    empty,
    expand_dims,
    getitem,
    logical_not,
    matmul,
    matrix_transpose,
    mean,
    permute_dims,
    reshape,
    squeeze,
    zeros,
)
from agrad.random import Generator
from agrad.tensor import Parameter, Tensor
from agrad.typing import DTypeLike, Shape

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention in several heads: each looks with its own projections of queries, keys and values.

    Parameters
    ----------
    embed_dim : int
        The length E of the queries, and of what comes out.
    num_heads : int
        The number of heads H; E is a multiple of it, and each head works in E / H dimensions.
    dropout : float
        The probability that a weight is dropped in training.
    bias : bool
        Whether the projections have biases.
    add_bias_kv : bool
        Whether there is one more key and value, the same for all, that is trained.
    add_zero_attn : bool
        Whether there is one more key and value of zeros.
    kdim, vdim : int, optional
        The lengths of keys and values as they come in; E if not given.
    batch_first : bool
        Whether the batch is the first axis, rather than the second.
    dtype : dtype or str, optional
        The data type of the parameters; the default one (float32) if not given.
    device : str, optional
        Where the parameters are; the CPU if not given.
    generator : Generator, optional
        Where the initial weights and the random numbers of dropout come from.

    Attributes
    ----------
    in_proj_weight : Parameter or None
        The three projections, one below the other, of shape (3 E, E). None if `kdim` or `vdim` is
        another length: then they are `q_proj_weight`, `k_proj_weight` and `v_proj_weight`. First
        filled by `init.xavier_uniform_`.
    in_proj_bias : Parameter or None
        Of shape (3 E,), zeros at first.
    out_proj : Linear
        From what the heads give, side by side, to what comes out.

    Raises
    ------
    ValueError
        If E is no multiple of the number of heads, `dropout` is no probability, or what comes in
        doesn't fit.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.2.

    Examples
    --------
    >>> import agrad as ag
    >>> attention = ag.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = ag.ones((5, 3, 8), dtype=ag.float32)
    >>> out, weights = attention(x, x, x)
    >>> out.shape, weights.shape
    ((5, 3, 8), (5, 3, 3))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                "MultiheadAttention: embed_dim must be a multiple of num_heads, got "
                f"{embed_dim!r} and {num_heads!r}"
            )
        check_p("MultiheadAttention", dropout, "dropout")
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.add_zero_attn = add_zero_attn
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.batch_first = batch_first
        self.generator = generator
        dtype = get_default_dtype() if dtype is None else dtype

        def weight(name: str, *shape: int) -> Parameter:
            made = Parameter(empty(shape, dtype=dtype, device=device), name=name)
            init.xavier_uniform_(made, generator=generator)
            return made

        self.in_proj_weight: Parameter | None = None
        self.q_proj_weight: Parameter | None = None
        self.k_proj_weight: Parameter | None = None
        self.v_proj_weight: Parameter | None = None
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = weight("in_proj_weight", 3 * embed_dim, embed_dim)
        else:
            self.q_proj_weight = weight("q_proj_weight", embed_dim, embed_dim)
            self.k_proj_weight = weight("k_proj_weight", embed_dim, self.kdim)
            self.v_proj_weight = weight("v_proj_weight", embed_dim, self.vdim)
        self.in_proj_bias: Parameter | None = None
        if bias:
            self.in_proj_bias = Parameter(
                zeros((3 * embed_dim,), dtype=dtype, device=device), name="in_proj_bias"
            )
        self.out_proj = uniform_linear(
            embed_dim, embed_dim, bias, dtype=dtype, device=device, generator=generator
        )
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)
        self.bias_k: Parameter | None = None
        self.bias_v: Parameter | None = None
        if add_bias_kv:
            shape = (1, 1, embed_dim)
            self.bias_k = Parameter(empty(shape, dtype=dtype, device=device), name="bias_k")
            self.bias_v = Parameter(empty(shape, dtype=dtype, device=device), name="bias_v")
            for each in (self.bias_k, self.bias_v):
                init.xavier_normal_(each, generator=generator)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return what the queries find among the values, and the weights they gave them.

        Parameters
        ----------
        query : Tensor
            Of shape (L, N, E), or (N, L, E) with `batch_first`; or (L, E) without a batch.
        key, value : Tensor
            Of such shapes, with S for L and their own lengths for E.
        key_padding_mask : Tensor, optional
            Of shape (N, S), or (S,) without a batch. Bools are True for keys that nobody may look
            at; numbers are added to the scores.
        need_weights : bool
            Whether to return the weights.
        attn_mask : Tensor, optional
            Of shape (L, S), or (N H, L, S). Bools are True where a query may *not* look at a key;
            numbers are added to the scores.
        average_attn_weights : bool
            Whether to return the mean of the heads' weights.
        is_causal : bool
            Whether a query may look only at the keys at its place and before. With an `attn_mask`,
            which then must say the same, that alone counts.

        Returns
        -------
        out : Tensor
            Of the shape of `query`. A query that may look at nothing finds zeros.
        weights : Tensor or None
            Of shape (N, L, S), or (N, H, L, S) if they aren't averaged; without a batch, without
            the N.
        """
        single = query.ndim == 2
        if single:
            axis = 0 if self.batch_first else 1
            query, key, value = (expand_dims(x, axis=axis) for x in (query, key, value))
            if key_padding_mask is not None:
                key_padding_mask = expand_dims(key_padding_mask, axis=0)
        self._check(query, key, value)
        q, k, v = (self._project(i, x) for i, x in enumerate((query, key, value)))
        mask = self._mask(attn_mask, key_padding_mask, q, k.shape[-2])
        k, v, mask = self._with_more_keys(k, v, mask)
        causal = is_causal and attn_mask is None
        dropout = self.dropout if self.training else 0.0
        who = "MultiheadAttention"
        found, weights = attend(who, q, k, v, mask, causal, dropout, generator=self.generator)
        out = self._join_heads(found, query.shape)
        if single:
            out, weights = squeeze(out, axis=axis), squeeze(weights, axis=0)
        if not need_weights:
            return out, None
        return out, mean(weights, axis=-3) if average_attn_weights else weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        batch, place = (0, 1) if self.batch_first else (1, 0)
        shapes = [tuple(x.shape) for x in (query, key, value)]
        lengths = [self.embed_dim, self.kdim, self.vdim]
        if (
            any(len(shape) != 3 for shape in shapes)
            or [shape[-1] for shape in shapes] != lengths
            or len({shape[batch] for shape in shapes}) > 1
            or shapes[1][place] != shapes[2][place]
        ):
            order = "(N, {}, {})" if self.batch_first else "({}, N, {})"
            wanted = [order.format(*each) for each in zip("LSS", lengths, strict=True)]
            raise ValueError(
                f"MultiheadAttention needs query, key and value of shapes {wanted[0]}, "
                f"{wanted[1]} and {wanted[2]}; got {shapes[0]}, {shapes[1]} and {shapes[2]}"
            )

    def _project(self, part: int, x: Tensor) -> Tensor:
        """Return the queries (part 0), keys (1) or values (2) of each head: (N, H, places, D)."""
        rows = slice(part * self.embed_dim, (part + 1) * self.embed_dim)
        own = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[part]
        weight = own if self.in_proj_weight is None else getitem(self.in_proj_weight, rows)
        assert weight is not None
        flat = reshape(x, (-1, x.shape[-1]))
        if self.in_proj_bias is None:
            y = matmul(flat, matrix_transpose(weight))
        else:
            y = affine_transform(flat, weight, getitem(self.in_proj_bias, rows))
        y = reshape(y, (*x.shape[:2], self.num_heads, self.head_dim))
        return permute_dims(y, (0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3))

    def _join_heads(self, x: Tensor, shape: Shape) -> Tensor:
        """Return what comes out, given what each head found: (N, H, L, D)."""
        x = permute_dims(x, (0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3))
        return reshape(self.out_proj(reshape(x, (-1, self.embed_dim))), shape)

    def _mask(
        self, attn_mask: Tensor | None, padding: Tensor | None, q: Tensor, keys: int
    ) -> Tensor | None:
        """Return the masks as one of numbers to add, which broadcasts to (N, H, L, S)."""
        n, heads, length, _ = q.shape
        mask = None
        if attn_mask is not None:
            mask = _added("attn_mask", attn_mask, q)
            if tuple(mask.shape) not in ((length, keys), (n * heads, length, keys)):
                raise ValueError(
                    f"MultiheadAttention: attn_mask must be of shape ({length}, {keys}) or "
                    f"({n * heads}, {length}, {keys}), got {tuple(mask.shape)}"
                )
            if mask.ndim == 3:
                mask = reshape(mask, (n, heads, length, keys))
        if padding is None:
            return mask
        added = _added("key_padding_mask", padding, q)
        if tuple(added.shape) != (n, keys):
            raise ValueError(
                f"MultiheadAttention: key_padding_mask must be of shape ({n}, {keys}), got "
                f"{tuple(added.shape)}"
            )
        added = reshape(added, (n, 1, 1, keys))
        return added if mask is None else add(mask, added)

    def _with_more_keys(
        self, k: Tensor, v: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return keys, values and mask with those that are the same for all queries behind."""
        more = []
        if self.bias_k is not None and self.bias_v is not None:
            shape = (1, self.num_heads, 1, self.head_dim)
            more.append((reshape(self.bias_k, shape), reshape(self.bias_v, shape)))
        if self.add_zero_attn:
            zero = zeros((1, 1, 1, self.head_dim), dtype=k.dtype, device=k.device)
            more.append((zero, zero))
        for key, value in more:
            place = (*k.shape[:2], 1, self.head_dim)
            k = concat([k, broadcast_to(key, place)], axis=2)
            v = concat([v, broadcast_to(value, place)], axis=2)
            if mask is not None:
                free = zeros((*mask.shape[:-1], 1), dtype=mask.dtype, device=mask.device)
                mask = concat([mask, free], axis=-1)
        return k, v, mask

    def extra_repr(self) -> str:
        return f"{self.embed_dim}, {self.num_heads}, batch_first={self.batch_first}"


def uniform_linear(
    in_features: int,
    out_features: int,
    bias: bool,
    *,
    dtype: DTypeLike,
    device: str | None,
    generator: Generator | None,
) -> Linear:
    """Return a Linear that begins as PyTorch's: U(-a, a), a = 1 / sqrt(in_features)."""
    made = Linear(in_features, out_features, bias, dtype=dtype, device=device, generator=generator)
    bound = 1 / math.sqrt(in_features)
    for parameter in made.parameters():
        init.uniform_(parameter, -bound, bound, generator=generator)
    return made


def _added(name: str, mask: Tensor, like: Tensor) -> Tensor:
    """Return a mask as numbers to add; bools are True where one may not look."""
    mask = as_mask("MultiheadAttention", name, mask)
    if mask.dtype.name == "bool":
        return additive(logical_not(mask), like)
    return astype(mask, like.dtype, copy=False)
