"""Elements at other places: channels become pixels, pixels become channels, groups are mixed."""

from typing import Any

from agrad.nn.functional.settings import check_size
from agrad.ops import asarray, permute_dims, reshape
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def pixel_shuffle(input: TensorLike, upscale_factor: int) -> Tensor:
    """Return an image r times as high and wide, made of r² channels for each of its own.

    Parameters
    ----------
    input : Tensor
        Of shape (..., C r², H, W).
    upscale_factor : int
        r.

    Returns
    -------
    Tensor
        Of shape (..., C, H r, W r): the r² channels are the pixels of a square, row by row.

    Raises
    ------
    ValueError
        If the shape doesn't fit, or the factor isn't a positive integer.

    References
    ----------
    W. Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", CVPR 2016, equation 4.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import pixel_shuffle
    >>> pixel_shuffle(ag.reshape(ag.arange(4), (4, 1, 1)), 2).tolist()
    [[[0, 1], [2, 3]]]
    """
    x, r = _image("pixel_shuffle", input, "upscale_factor", upscale_factor)
    *lead, channels, height, width = x.shape
    if channels % (r * r):
        raise ValueError(
            f"pixel_shuffle: upscale_factor={r} needs a multiple of {r * r} channels, got an input "
            f"of shape {x.shape}"
        )
    parts = reshape(x, (*lead, channels // (r * r), r, r, height, width))
    n = len(lead)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return reshape(permute_dims(parts, order), (*lead, channels // (r * r), height * r, width * r))


def pixel_unshuffle(input: TensorLike, downscale_factor: int) -> Tensor:
    """Return an image one r-th as high and wide, with r² channels for each of its own.

    It is the inverse of `pixel_shuffle`.

    Parameters
    ----------
    input : Tensor
        Of shape (..., C, H r, W r).
    downscale_factor : int
        r.

    Returns
    -------
    Tensor
        Of shape (..., C r², H, W).

    Raises
    ------
    ValueError
        If the shape doesn't fit, or the factor isn't a positive integer.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import pixel_unshuffle
    >>> pixel_unshuffle(ag.Tensor([[[0, 1], [2, 3]]]), 2).tolist()
    [[[0]], [[1]], [[2]], [[3]]]
    """
    x, r = _image("pixel_unshuffle", input, "downscale_factor", downscale_factor)
    *lead, channels, height, width = x.shape
    if height % r or width % r:
        raise ValueError(
            f"pixel_unshuffle: downscale_factor={r} must divide height and width, got an input of "
            f"shape {x.shape}"
        )
    parts = reshape(x, (*lead, channels, height // r, r, width // r, r))
    n = len(lead)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return reshape(permute_dims(parts, order), (*lead, channels * r * r, height // r, width // r))


def _image(who: str, input: Any, name: str, factor: int) -> tuple[Tensor, int]:
    check_size(who, name, factor)
    x = asarray(input)
    if x.ndim < 3:
        raise ValueError(f"{who} needs an input of shape (..., C, H, W), got {x.shape}")
    return x, int(factor)


def channel_shuffle(input: TensorLike, groups: int) -> Tensor:
    """Return the channels in another order: the first of each group, then the second of each.

    Parameters
    ----------
    input : Tensor
        Of shape (N, C, ...), with one more axis at least.
    groups : int
        Into how many groups the channels fall.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Raises
    ------
    ValueError
        If the shape doesn't fit, or the number of groups doesn't divide that of the channels.

    References
    ----------
    X. Zhang, X. Zhou, M. Lin and J. Sun, "ShuffleNet: an extremely efficient convolutional neural
    network for mobile devices", CVPR 2018, section 3.1.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import channel_shuffle
    >>> channel_shuffle(ag.reshape(ag.arange(4), (1, 4, 1)), 2).tolist()
    [[[0], [2], [1], [3]]]
    """
    check_size("channel_shuffle", "groups", groups)
    x = asarray(input)
    if x.ndim < 3 or x.shape[1] % groups:
        raise ValueError(
            f"channel_shuffle needs an input of shape (N, C, ...) where groups={groups} divides C, "
            f"got {x.shape}"
        )
    batch, channels, *size = x.shape
    parts = reshape(x, (batch, groups, channels // groups, *size))
    return reshape(permute_dims(parts, (0, 2, 1, *range(3, parts.ndim))), x.shape)
