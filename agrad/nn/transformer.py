"""Transformers: layers of attention and of two affine functions, and stacks of them."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from agrad.nn import functional as F
from agrad.nn import init
from agrad.nn.attention import MultiheadAttention, uniform_linear
from agrad.nn.containers import ModuleList
from agrad.nn.dropout import Dropout
from agrad.nn.module import Module
from agrad.nn.normalization import LayerNorm
from agrad.ops import full, triu
from agrad.random import Generator
from agrad.tensor import Tensor
from agrad.typing import DTypeLike

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = str | Callable[[Tensor], Tensor]


def _activation(who: str, activation: Activation) -> Callable[[Tensor], Tensor]:
    named: dict[Any, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}
    found = named.get(activation, activation)
    if not callable(found):
        raise ValueError(
            f"{who}: activation must be 'relu', 'gelu' or a function, got {activation!r}"
        )
    return found


class _Layer(Module):
    """What encoder and decoder layers have in common: the settings, and the affine functions."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int,
        dropout: float,
        activation: Activation,
        norm_first: bool,
        bias: bool,
        options: dict[str, Any],
    ) -> None:
        self.norm_first = norm_first
        self.activation = _activation(type(self).__name__, activation)
        self.linear1 = uniform_linear(d_model, dim_feedforward, bias, **options)
        self.dropout = Dropout(dropout, generator=options["generator"])
        self.linear2 = uniform_linear(dim_feedforward, d_model, bias, **options)

    def _feed_forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return y


class TransformerEncoderLayer(_Layer):
    """A layer of an encoder: attention of each place to all, then two affine functions for each.

    Around both there is a shortcut, and each sum is normalized.

    Parameters
    ----------
    d_model : int
        The length of the vectors.
    nhead : int
        The number of heads; `d_model` is a multiple of it.
    dim_feedforward : int
        The length between the two affine functions.
    dropout : float
        The probability that a value is dropped in training: of the attention's weights, between
        the affine functions, and of what is added to the shortcuts.
    activation : {"relu", "gelu"} or callable
        What is between the affine functions.
    layer_norm_eps : float
        What normalization adds to the variance.
    batch_first : bool
        Whether the batch is the first axis, rather than the second.
    norm_first : bool
        Whether to normalize what goes in beside the shortcuts, rather than the sums.
    bias : bool
        Whether affine functions and normalization have biases.
    dtype : dtype or str, optional
        The data type of the parameters; the default one (float32) if not given.
    device : str, optional
        Where the parameters are; the CPU if not given.
    generator : Generator, optional
        Where the initial weights and the random numbers of dropout come from.

    Raises
    ------
    ValueError
        If `d_model` is no multiple of `nhead`, or there is no such activation.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3; with `norm_first`,
    R. Xiong et al., "On layer normalization in the transformer architecture", ICML 2020.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16)
    >>> layer(ag.ones((10, 3, 8), dtype=ag.float32)).shape
    (10, 3, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        place: dict[str, Any] = {"dtype": dtype, "device": device}
        options = {**place, "generator": generator}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, **options
        )
        super().__init__(
            d_model, nhead, dim_feedforward, dropout, activation, norm_first, bias, options
        )
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
        self.dropout1 = Dropout(dropout, generator=generator)
        self.dropout2 = Dropout(dropout, generator=generator)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the vectors after the layer.

        Parameters
        ----------
        src : Tensor
            Of shape (S, N, d_model), or (N, S, d_model) with `batch_first`; or (S, d_model).
        src_mask, src_key_padding_mask, is_causal
            `attn_mask`, `key_padding_mask` and `is_causal` of `MultiheadAttention`.

        Returns
        -------
        Tensor
            Of the shape of `src`.
        """

        def attend(x: Tensor) -> Tensor:
            found, _ = self.self_attn(
                x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal
            )
            dropped: Tensor = self.dropout1(found)
            return dropped

        x: Tensor = src
        if self.norm_first:
            x = x + attend(self.norm1(x))
            x = x + self.dropout2(self._feed_forward(self.norm2(x)))
        else:
            x = self.norm1(x + attend(x))
            x = self.norm2(x + self.dropout2(self._feed_forward(x)))
        return x


class TransformerDecoderLayer(_Layer):
    """A layer of a decoder: attention among its own places, then to an encoder's, then as there.

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first
        As for `TransformerEncoderLayer`.
    bias, dtype, device, generator
        As for `TransformerEncoderLayer`.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16)
    >>> target, memory = (ag.ones((n, 3, 8), dtype=ag.float32) for n in (20, 10))
    >>> layer(target, memory).shape
    (20, 3, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        place: dict[str, Any] = {"dtype": dtype, "device": device}
        options = {**place, "generator": generator}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, **options
        )
        self.multihead_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, **options
        )
        super().__init__(
            d_model, nhead, dim_feedforward, dropout, activation, norm_first, bias, options
        )
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
        self.dropout1 = Dropout(dropout, generator=generator)
        self.dropout2 = Dropout(dropout, generator=generator)
        self.dropout3 = Dropout(dropout, generator=generator)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the vectors after the layer.

        Parameters
        ----------
        tgt : Tensor
            Of shape (T, N, d_model), or (N, T, d_model) with `batch_first`; or (T, d_model).
        memory : Tensor
            What the encoder gave, of such a shape with S for T.
        tgt_mask, tgt_key_padding_mask, tgt_is_causal
            `attn_mask`, `key_padding_mask` and `is_causal` of the attention among the places.
        memory_mask, memory_key_padding_mask, memory_is_causal
            Those of the attention to `memory`.

        Returns
        -------
        Tensor
            Of the shape of `tgt`.
        """

        def attend(x: Tensor) -> Tensor:
            found, _ = self.self_attn(
                x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal
            )
            dropped: Tensor = self.dropout1(found)
            return dropped

        def look_up(x: Tensor) -> Tensor:
            padding, causal = memory_key_padding_mask, memory_is_causal
            found, _ = self.multihead_attn(
                x, memory, memory, padding, False, memory_mask, is_causal=causal
            )
            dropped: Tensor = self.dropout2(found)
            return dropped

        x: Tensor = tgt
        if self.norm_first:
            x = x + attend(self.norm1(x))
            x = x + look_up(self.norm2(x))
            x = x + self.dropout3(self._feed_forward(self.norm3(x)))
        else:
            x = self.norm1(x + attend(x))
            x = self.norm2(x + look_up(x))
            x = self.norm3(x + self.dropout3(self._feed_forward(x)))
        return x


def _copies(who: str, layer: Module, n: int) -> ModuleList:
    """Return copies of a layer, with the same weights; a generator of random numbers stays one."""
    if not isinstance(layer, Module):
        raise TypeError(f"{who} needs a layer, a Module, to copy; got {layer!r}")
    generators = [getattr(module, "generator", None) for module in layer.modules()]
    shared = {id(each): each for each in generators if each is not None}
    return ModuleList([deepcopy(layer, dict(shared)) for _ in range(n)])


class TransformerEncoder(Module):
    """Several encoder layers, one after the other.

    Parameters
    ----------
    encoder_layer : TransformerEncoderLayer
        The layer; all are copies of it, with the same weights at first.
    num_layers : int
        How many.
    norm : Module, optional
        What comes last.

    Attributes
    ----------
    layers : ModuleList

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16)
    >>> encoder = ag.nn.TransformerEncoder(layer, num_layers=2)
    >>> encoder(ag.ones((10, 3, 8), dtype=ag.float32)).shape
    (10, 3, 8)
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = _copies("TransformerEncoder", encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the vectors after all layers.

        Parameters
        ----------
        src, mask, src_key_padding_mask, is_causal
            As for `TransformerEncoderLayer`, whose `src_mask` is `mask`.

        Returns
        -------
        Tensor
            Of the shape of `src`.
        """
        x: Tensor = src
        for layer in self.layers:
            x = layer(x, mask, src_key_padding_mask, is_causal)
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(Module):
    """Several decoder layers, one after the other.

    Parameters
    ----------
    decoder_layer : TransformerDecoderLayer
        The layer; all are copies of it, with the same weights at first.
    num_layers : int
        How many.
    norm : Module, optional
        What comes last.

    Attributes
    ----------
    layers : ModuleList

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16)
    >>> decoder = ag.nn.TransformerDecoder(layer, num_layers=2)
    >>> target, memory = (ag.ones((n, 3, 8), dtype=ag.float32) for n in (20, 10))
    >>> decoder(target, memory).shape
    (20, 3, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = _copies("TransformerDecoder", decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the vectors after all layers.

        Parameters
        ----------
        tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
            As for `TransformerDecoderLayer`.
        tgt_is_causal, memory_is_causal
            As for `TransformerDecoderLayer`.

        Returns
        -------
        Tensor
            Of the shape of `tgt`.
        """
        x: Tensor = tgt
        for layer in self.layers:
            x = layer(
                x,
                memory,
                tgt_mask,
                memory_mask,
                tgt_key_padding_mask,
                memory_key_padding_mask,
                tgt_is_causal,
                memory_is_causal,
            )
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """An encoder, and a decoder that looks at what it gives.

    Parameters
    ----------
    d_model, nhead
        As for `TransformerEncoderLayer`.
    num_encoder_layers, num_decoder_layers : int
        How many layers there are.
    dim_feedforward, dropout, activation
        As for `TransformerEncoderLayer`.
    custom_encoder, custom_decoder : Module, optional
        What to take for the encoder or the decoder.
    layer_norm_eps, batch_first, norm_first, bias, dtype, device, generator
        As for `TransformerEncoderLayer`.

    Attributes
    ----------
    encoder, decoder : Module
        By default a `TransformerEncoder` and a `TransformerDecoder`, each with a `LayerNorm` at its
        end. All their matrices are first filled by `init.xavier_uniform_`.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017.

    Examples
    --------
    >>> import agrad as ag
    >>> model = ag.nn.Transformer(8, 2, 1, 1, dim_feedforward=16)
    >>> source, target = (ag.ones((n, 3, 8), dtype=ag.float32) for n in (10, 20))
    >>> model(source, target).shape
    (20, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        sizes: Any = d_model, nhead, dim_feedforward, dropout, activation
        settings: Any = layer_norm_eps, batch_first, norm_first, bias
        place: dict[str, Any] = {"dtype": dtype, "device": device}
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first
        self.encoder: Module
        self.decoder: Module
        if custom_encoder is None:
            encoder_layer = TransformerEncoderLayer(*sizes, *settings, **place, generator=generator)
            last = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
            self.encoder = TransformerEncoder(encoder_layer, num_encoder_layers, last)
        else:
            self.encoder = custom_encoder
        if custom_decoder is None:
            decoder_layer = TransformerDecoderLayer(*sizes, *settings, **place, generator=generator)
            last = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
            self.decoder = TransformerDecoder(decoder_layer, num_decoder_layers, last)
        else:
            self.decoder = custom_decoder
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter, generator=generator)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the decoder's vectors.

        Parameters
        ----------
        src, src_mask, src_key_padding_mask, src_is_causal
            What the encoder gets.
        tgt, tgt_mask, tgt_key_padding_mask, tgt_is_causal
            What the decoder gets.
        memory_mask, memory_key_padding_mask, memory_is_causal
            What of the encoder's vectors the decoder may look at.

        Returns
        -------
        Tensor
            Of the shape of `tgt`.
        """
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        y: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )
        return y

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, *, dtype: DTypeLike = None, device: str | None = None
    ) -> Tensor:
        """Return a mask that lets each place look at itself and those before it.

        Parameters
        ----------
        sz : int
            The number of places.
        dtype, device
            As for `zeros`.

        Returns
        -------
        Tensor
            Of shape (sz, sz): -inf above the diagonal, 0 elsewhere.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.nn.Transformer.generate_square_subsequent_mask(2).tolist()
        [[0.0, -inf], [0.0, 0.0]]
        """
        return triu(full((sz, sz), -float("inf"), dtype=dtype, device=device), k=1)
