"""Fourier transforms: lengths, norms and axes against NumPy and PyTorch, and what is refused."""

import itertools

import numpy as np
import pytest

import agrad as ag

NORMS = ("backward", "ortho", "forward")
FROM_REAL = ("rfft", "ihfft")
TO_REAL = ("irfft", "hfft")
ONE_AXIS = ("fft", "ifft", *FROM_REAL, *TO_REAL)


def draw(name, *shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape)
    return x if name.startswith(("rfft", "ihfft")) else x + 1j * rng.normal(size=shape)


@pytest.mark.parametrize("name", ONE_AXIS)
def test_lengths_and_norms_against_pytorch(name):
    """Values, gradients and gradients of gradients, of cut and filled up, odd and even lengths."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    lengths = itertools.product((1, 2, 4, 5), (None, 1, 2, 3, 4, 5, 7))
    for (m, n), norm in zip(lengths, itertools.cycle(NORMS), strict=False):
        if name in TO_REAL and n is None and m == 1:
            continue
        values = draw(name, m)
        theirs = torch.tensor(values, requires_grad=True)
        ours = ag.Tensor(values, requires_grad=True)
        y = getattr(torch.fft, name)(theirs, n=n, norm=norm)
        x = getattr(ag.fft, name)(ours, n=n, norm=norm)
        close(x, y)
        (first,) = torch.autograd.grad((y.abs() ** 4).sum(), theirs, create_graph=True)
        (second,) = torch.autograd.grad((first.abs() ** 2).sum(), theirs)
        ag.sum(ag.abs(x) ** 4).backward(create_graph=True)
        mine, ours.grad = ours.grad, None
        close(mine, first)
        ag.sum(ag.abs(mine) ** 2).backward()
        close(ours.grad, second)


def close(ours, theirs):
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().resolve_conj().numpy(), rtol=1e-9, atol=1e-11
    )


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@pytest.mark.parametrize(
    ("s", "axes"),
    [(None, None), ((2, -1, 6), (-1, 1, 0))],
)
def test_several_axes_against_numpy(backend, name, s, axes):
    values = draw(name, 3, 4, 5)
    out = getattr(ag.fft, name)(backend.tensor(values), s=s, axes=axes, norm="ortho")
    expected = getattr(np.fft, name)(values, s=s, axes=axes, norm="ortho")
    np.testing.assert_allclose(backend.numpy(out), expected, rtol=1e-11, atol=1e-12)
    assert out.device == backend.device


@pytest.mark.parametrize("shape", [(4, 5), (3, 4)])
def test_inverses(backend, shape):
    norm = "ortho"
    x = backend.tensor(draw("rfft", *shape))
    n = shape[-1]
    for there, back in [("rfft", "irfft"), ("ihfft", "hfft")]:
        y = getattr(ag.fft, back)(getattr(ag.fft, there)(x, norm=norm), n=n, norm=norm)
        np.testing.assert_allclose(backend.numpy(y), backend.numpy(x), rtol=1e-11)
    y = ag.fft.irfftn(ag.fft.rfftn(x, norm=norm), s=shape, axes=range(len(shape)), norm=norm)
    np.testing.assert_allclose(backend.numpy(y), backend.numpy(x), rtol=1e-11)
    z = backend.tensor(draw("fft", *shape))
    for there, back in [("fft", "ifft"), ("fftn", "ifftn")]:
        y = getattr(ag.fft, back)(getattr(ag.fft, there)(z, norm=norm), norm=norm)
        np.testing.assert_allclose(backend.numpy(y), backend.numpy(z), rtol=1e-11)
    y = ag.fft.ifftshift(ag.fft.fftshift(z))
    np.testing.assert_array_equal(backend.numpy(y), backend.numpy(z))


def test_the_precision_stays(backend):
    real = backend.tensor(np.ones((2, 3), dtype="float32"), requires_grad=True)
    both = backend.tensor(np.ones((2, 3), dtype="complex64"), requires_grad=True)
    for name in (*ONE_AXIS, "fftn", "ifftn", "rfftn", "irfftn"):
        for x in (real, both):
            if x is both and (name in FROM_REAL or name == "rfftn"):
                continue
            out = getattr(ag.fft, name)(x)
            to_real = name in TO_REAL or name == "irfftn"
            assert out.dtype == (ag.float32 if to_real else ag.complex64)
            ag.sum(ag.abs(out)).backward()
            assert x.grad.dtype == x.dtype


def test_integers_become_floating_point_numbers(backend):
    x = backend.tensor(np.array([1, 2, 3]))
    expected = np.fft.fft([1, 2, 3])
    np.testing.assert_allclose(backend.numpy(ag.fft.fft(x)), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(backend.numpy(ag.fft.rfft(x)), expected[:2], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_frequencies(backend, n):
    for name in ("fftfreq", "rfftfreq"):
        function, expected = getattr(ag.fft, name), getattr(np.fft, name)(n, d=0.3)
        f = function(n, d=0.3, dtype=ag.float64, device=backend.device)
        np.testing.assert_allclose(backend.numpy(f), expected, rtol=1e-15)
        assert f.device == backend.device
        f = function(n, d=0.3, dtype="float32", device=backend.device)
        assert f.dtype == ag.float32
        assert function(n, device=backend.device).dtype == ag.zeros(1, device=backend.device).dtype


def test_zero_frequency_is_in_the_middle():
    for n in range(1, 8):
        assert ag.fft.fftshift(ag.fft.fftfreq(n))[n // 2].item() == 0
        assert ag.fft.rfftfreq(n)[0].item() == 0
        shifted = ag.fft.fftshift(ag.Tensor(np.eye(n)[:, :1]), axes=0)
        np.testing.assert_array_equal(shifted.numpy(), np.fft.fftshift(np.eye(n)[:, :1], axes=0))


def test_what_is_refused():
    x, z = ag.Tensor([[1.0, 2.0]]), ag.Tensor([[1j, 2.0]])
    for name in ("rfft", "rfftn", "ihfft"):
        with pytest.raises(TypeError, match=f"{name} needs real numbers, got agrad.complex128"):
            getattr(ag.fft, name)(z)
    for name in (*ONE_AXIS, "fftn", "ifftn", "rfftn", "irfftn"):
        function = getattr(ag.fft, name)
        with pytest.raises(ValueError, match=f"{name}: norm must be .* got 'unit'"):
            function(x, norm="unit")
        axis = {"axis": 2} if name in ONE_AXIS else {"axes": (2,)}
        with pytest.raises(IndexError, match="axis 2 is out of bounds for 2 dimensions"):
            function(x, **axis)
    for name in ONE_AXIS:
        with pytest.raises(ValueError, match="length of the transform must be at least 1, got 0"):
            getattr(ag.fft, name)(x, n=0)
    for name in ("fftn", "ifftn", "rfftn", "irfftn"):
        function = getattr(ag.fft, name)
        with pytest.raises(ValueError, match=f"{name}: the length of the transform must be"):
            function(x, s=(0,), axes=(0,))
        with pytest.raises(ValueError, match="need axes"):
            function(x, s=(2, 2))
        with pytest.raises(ValueError, match=r"2 lengths, s=\(2, 2\), for 1 axes"):
            function(x, s=(2, 2), axes=(0,))
        with pytest.raises(ValueError, match="twice"):
            function(x, axes=(0, -2))
    for name in ("rfftn", "irfftn"):
        with pytest.raises(ValueError, match="needs at least one axis"):
            getattr(ag.fft, name)(x, axes=())
    for name in ("fftfreq", "rfftfreq"):
        with pytest.raises(ValueError, match="at least 1, got 0"):
            getattr(ag.fft, name)(0)
    with pytest.raises(ValueError, match=r"irfft: the length of the transform .* got 0"):
        ag.fft.irfft(ag.Tensor([1.0]))
