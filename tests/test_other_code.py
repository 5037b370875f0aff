# ruff: noqa: E501 (one call a line)
"""Code that was written for any Array API library, by others: it runs on Tensors, and its gradients
are right.

Each line of the table is a call of such code with `x`, six rows of four numbers. It is run on a NumPy
array, and on Tensors over NumPy and over PyTorch: the values must be those of NumPy, and the gradient
that of finite differences. SciPy must be told before it is imported that it may be given other arrays
than NumPy's, so each package has a process of its own, in which this file runs as a script.
"""

import importlib
import importlib.util
import os
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agrad as ag

ROOT = Path(__file__).parents[1]
RAW = np.random.default_rng(0).normal(size=(6, 4))

# The names that a package's lines use, and the lines. `p` is positive, `u` between 0 and 1, `long` has
# more rows; `xp` is the namespace; `array(v)` makes a constant. In lines marked "not PyTorch" the
# code makes NumPy arrays on its way, which stay NumPy's.
PACKAGES: dict[str, tuple[str, str]] = {
    "scipy.special": (
        "import scipy.special as special",
        """
        special.betainc(2.0, 3.0, u)
        special.betaln(p, 2 * p)
        special.chdtr(array(2.0), p)
        special.chdtrc(array(2.0), p)
        special.digamma(p)
        special.entr(p)
        special.erf(x)
        special.erfc(x)
        special.erfinv(u)
        special.expit(x)
        special.expm1(x)
        special.gammainc(2.0, p)
        special.gammaincc(2.0, p)
        special.gammaln(p)
        special.i0(x)
        special.i0e(x)
        special.i1(x)
        special.i1e(x)
        special.kl_div(p, 2 * p)
        special.log1p(p)
        special.log_ndtr(x)
        special.log_softmax(x, axis=1)
        special.logit(u)
        special.logsumexp(x, axis=1)
        special.logsumexp(x, axis=0, b=array(np.arange(1.0, 7.0)[:, None]))
        special.ndtr(x)
        special.ndtri(u)
        special.polygamma(1, p)
        special.psi(p)
        special.rel_entr(p, 2 * p)
        special.sinc(x)
        special.softmax(x, axis=1)
        special.stdtr(array(5.0), x)
        special.stdtrit(array(5.0), u)
        special.xlog1py(p, p)
        special.xlogy(p, p)
        special.zeta(array(3.0), p)
        """,
    ),
    "scipy.stats": (
        "import scipy.stats as stats",
        """
        stats.alexandergovern(x[:, 0], x[:, 1]).statistic
        stats.bartlett(x[:, 0], x[:, 1]).statistic
        stats.bootstrap((x[:, 0],), xp.mean, rng=1, n_resamples=9).standard_error
        stats.boxcox_llf(0.5, p, axis=0)
        stats.chisquare(p[:, 0], p[:, 0] * 0 + p[:, 0].mean()).pvalue
        stats.circmean(x, axis=0)
        stats.circstd(x, axis=0)
        stats.circvar(x, axis=0)
        stats.combine_pvalues(u[:, 0]).pvalue
        stats.combine_pvalues(u[:, 0], method="stouffer").pvalue
        stats.describe(x, axis=0).kurtosis
        stats.differential_entropy(long, axis=0)
        stats.directional_stats(x).mean_direction
        stats.entropy(p, axis=0)
        stats.entropy(p[:, 0], p[:, 1])
        stats.epps_singleton_2samp(x[:, 0], x[:, 1]).statistic  # not PyTorch
        stats.false_discovery_control(u[:, 0])
        stats.gmean(p, axis=0)
        stats.gstd(p, axis=0)
        stats.gzscore(p, axis=0)
        stats.hmean(p, axis=0)
        stats.hmean(p, weights=p, axis=0)
        stats.iqr(x, axis=0)
        stats.jarque_bera(x, axis=0).pvalue
        stats.kstat(x, 3, axis=0)
        stats.kstatvar(x, axis=0)
        stats.kurtosis(x, axis=0)
        stats.kurtosistest(long, axis=0).pvalue
        stats.lmoment(x, [1, 2, 3], axis=0)  # not PyTorch
        stats.median_abs_deviation(x, axis=0)
        stats.mode(x, axis=0).mode
        stats.moment(x, 3, axis=0)
        stats.normaltest(long, axis=0).statistic
        stats.pearsonr(x[:, 0], x[:, 1]).statistic
        stats.pearsonr(x[:, :2], x[:, 2:], axis=0).pvalue
        stats.permutation_test((x[:, 0], x[:, 1]), lambda a, b, axis: a.mean(axis) - b.mean(axis), n_resamples=9, rng=1).statistic  # not PyTorch
        stats.pmean(p, 3, axis=0)
        stats.power_divergence(p, axis=0, lambda_="cressie-read").pvalue
        stats.power_divergence(p, axis=0, lambda_="freeman-tukey").statistic
        stats.quantile(x, 0.3, axis=0)
        stats.quantile(x, 0.3, axis=0, method="harrell-davis")  # not PyTorch
        stats.sem(x, axis=0, nan_policy="omit")
        stats.sigmaclip(x[:, 0], 1.5).clipped
        stats.skew(x, axis=0)
        stats.skewtest(long, axis=0).pvalue
        stats.tmax(x, axis=0)
        stats.tmean(x, (-0.5, 1.0), axis=0)
        stats.tmin(x, axis=0)
        stats.trim_mean(x, 0.3, axis=0)
        stats.tsem(x, axis=0)
        stats.tstd(x, axis=0)
        stats.ttest_1samp(x, 0.3, axis=0).pvalue
        stats.ttest_ind(x[:, :2], x[:, 2:], axis=0).pvalue
        stats.ttest_rel(x[:, :2], x[:, 2:], axis=0).pvalue
        stats.tvar(x, axis=0)
        stats.variation(p, axis=0)
        stats.yeojohnson_llf(0.3, p, axis=0)
        stats.zmap(x[0:2], x, axis=0)
        stats.zscore(x, axis=0)
        """,
    ),
    "scipy": (
        """
import scipy.cluster.vq as vq
import scipy.constants as constants
import scipy.differentiate as differentiate
import scipy.fft as fft
import scipy.integrate as integrate
import scipy.linalg as linalg
import scipy.optimize as optimize
import scipy.optimize.elementwise as elementwise
import scipy.signal as signal
from scipy.spatial.transform import RigidTransform, Rotation, Slerp
""",
        """
        vq.whiten(x)
        constants.convert_temperature(x, "C", "F")
        constants.lambda2nu(p)
        differentiate.derivative(lambda t, p: xp.exp(t * p), array(0.3), args=(u[0, :],)).df  # not PyTorch
        differentiate.jacobian(xp.sin, x[0, :]).df  # not PyTorch
        abs(fft.fft(x, norm="ortho"))
        abs(fft.fft2(x))
        abs(fft.fftn(x))
        abs(fft.ihfft(x))
        abs(fft.rfft(x, axis=0))
        fft.fht(x, 0.1, 0.2)  # not PyTorch
        fft.hfft(x + 0j)
        fft.ifftshift(fft.fftshift(x, axes=0) * x)
        fft.irfft(x + 0j)
        integrate.cubature(lambda t, p: xp.exp(-p * xp.sum(t * t, axis=-1)[:, None]), array([0.0, 0.0]), array([1.0, 1.0]), args=(p[0, :],)).estimate  # not PyTorch
        integrate.cumulative_simpson(x, axis=0)
        integrate.cumulative_trapezoid(x, axis=0, initial=0)
        integrate.fixed_quad(lambda t: xp.exp(x[0, 0] * t), 0, 1)[0]  # not PyTorch
        integrate.tanhsinh(lambda t, p: xp.exp(-p * t * t), array(0.0), array(1.0), args=(p[0, :],)).integral
        integrate.tanhsinh(lambda t: xp.exp(-t * t), array(0.0), p[0, :]).integral
        integrate.trapezoid(x[:, 0], x[:, 1])
        linalg.block_diag(x, 2 * x)
        elementwise.find_minimum(lambda t, p: (t - p) ** 2 + p * t, (array(-9.0), array(0.1), array(9.0)), args=(p[0, :],)).f_x
        elementwise.find_root(lambda t, p: t**3 + p * t - 1.0, (array(0.0), array(1.0)), args=(p[0, :],)).x
        optimize.rosen(x)
        optimize.rosen_der(x[:, 0])
        optimize.rosen_hess(x[:, 0])
        optimize.rosen_hess_prod(x[:, 0], x[:, 1])
        signal.convolve(x[:, 0], x[:3, 1], method="fft")
        signal.correlate(x[:, 0], x[:, 1], method="fft")
        signal.envelope(x, (1, 3), axis=0)
        signal.fftconvolve(x, x[:3, :], axes=0, mode="same")
        abs(signal.freqs(x[0, :], x[1, :2], worN=array([0.1, 0.2]))[1])
        abs(signal.freqz(x[0, :], worN=8)[1])
        abs(signal.freqz_zpk(x[0, :2], x[1, :2], 2.0, worN=array([0.1, 0.2]))[1])
        signal.gausspulse(x, fc=2)
        abs(signal.hilbert(x, axis=0))
        signal.lp2hp(x[0, :3], x[1, :3])[0]
        signal.normalize(x[0, :3], x[1, :3])[0]
        signal.oaconvolve(x, x[:3, :], axes=0)
        signal.resample(x, 5, axis=0)
        Rotation.from_euler("xyz", x[:, :3] / 3).as_euler("zyx")
        Rotation.from_mrp(x[:, :3] / 5).as_mrp()
        Rotation.from_rotvec(x[:, :3]).apply(x[:, 1:])
        Rotation.from_rotvec(x[:, :3]).as_matrix()
        Rotation.from_rotvec(x[:, :3]).magnitude()
        Rotation.from_rotvec(x[:, :3] / 3).mean().as_rotvec()
        (Rotation.from_rotvec(x[0, :3]) * Rotation.from_rotvec(x[1, :3])).as_quat()
        (Rotation.from_rotvec(x[:, :3] / 3).inv() ** 0.5).as_rotvec()
        Rotation.align_vectors(x[:, :3], 2 * x[:, 1:] + 1)[0].as_matrix()
        Slerp(array([0.0, 1.0, 2.0]), Rotation.from_rotvec(x[:3, :3] / 3))(array([0.3, 1.4])).as_rotvec()
        RigidTransform.from_components(x[0, :3], Rotation.from_rotvec(x[1, :3])).apply(x[:, 1:])
        RigidTransform.from_exp_coords(xp.reshape(x, (4, 6)) / 3).as_exp_coords()
        """,
    ),
    "sklearn": (
        """
import sklearn
from sklearn import discriminant_analysis, decomposition, kernel_approximation, linear_model
from sklearn import metrics, model_selection, naive_bayes, pipeline, preprocessing
from sklearn.metrics import pairwise
sklearn.set_config(array_api_dispatch=True)
""",
        """
        metrics.explained_variance_score(array(RAW), u, multioutput="raw_values")
        metrics.mean_absolute_error(array(RAW), u, multioutput="raw_values")
        metrics.mean_pinball_loss(array(RAW), u, multioutput="raw_values")
        metrics.mean_squared_error(array(RAW), u, multioutput="raw_values")
        metrics.pairwise_distances(x[:3, :], x[3:, :], metric="manhattan")
        metrics.r2_score(array(RAW), u, multioutput="raw_values")
        pairwise.additive_chi2_kernel(p[:3, :], p[3:, :])
        pairwise.chi2_kernel(p[:3, :], p[3:, :])
        pairwise.cosine_distances(x[:3, :], x[3:, :])
        pairwise.cosine_similarity(x[:3, :], x[3:, :])
        pairwise.euclidean_distances(x[:3, :], x[3:, :])
        pairwise.laplacian_kernel(x[:3, :], x[3:, :])
        pairwise.linear_kernel(x[:3, :], x[3:, :])
        pairwise.paired_cosine_distances(x[:3, :], x[3:, :])
        pairwise.paired_euclidean_distances(x[:3, :], x[3:, :])
        pairwise.pairwise_kernels(x[:3, :], x[3:, :], metric="rbf")
        pairwise.polynomial_kernel(x[:3, :], x[3:, :])
        pairwise.rbf_kernel(x)
        pairwise.sigmoid_kernel(x[:3, :], x[3:, :])
        preprocessing.KernelCenterer().fit_transform(x[:4, :])
        preprocessing.MaxAbsScaler().fit_transform(x)
        preprocessing.MinMaxScaler().fit_transform(x)
        preprocessing.normalize(x, norm="l1")
        preprocessing.Normalizer().fit_transform(x)
        preprocessing.PolynomialFeatures(3).fit_transform(x)
        decomposition.PCA(2, svd_solver="covariance_eigh").fit(x).explained_variance_
        decomposition.PCA(2, svd_solver="full").fit(x).get_covariance()
        decomposition.PCA(2, svd_solver="full").fit(x).score_samples(x)
        decomposition.PCA(2, svd_solver="full").fit_transform(x)
        decomposition.PCA(2, svd_solver="full", whiten=True).fit(x).transform(u)
        decomposition.TruncatedSVD(2, random_state=0).fit_transform(x)
        discriminant_analysis.LinearDiscriminantAnalysis().fit(long, array(np.arange(24) % 3)).decision_function(long)
        discriminant_analysis.LinearDiscriminantAnalysis().fit(long, array(np.arange(24) % 3)).predict_proba(long)
        kernel_approximation.Nystroem(n_components=3, random_state=0).fit_transform(x)
        linear_model.Ridge(solver="svd").fit(array(RAW), x[:, 0]).coef_
        linear_model.Ridge(solver="svd").fit(x[:, :3], x[:, 3]).predict(u[:, :3])
        linear_model.RidgeClassifier(solver="svd").fit(x, array(np.arange(6) % 3)).decision_function(x)
        linear_model.RidgeCV().fit(x, array(RAW[:, 1])).coef_
        model_selection.cross_val_predict(linear_model.Ridge(solver="svd"), x[:, :3], x[:, 3])
        model_selection.train_test_split(x, random_state=0)[0]
        naive_bayes.GaussianNB().fit(long, array(np.arange(24) % 3)).predict_proba(long)
        pipeline.make_pipeline(preprocessing.MinMaxScaler(), decomposition.PCA(2, svd_solver="full"), linear_model.Ridge(solver="svd")).fit(x, array(RAW[:, 0])).predict(x)
        """,
    ),
    "array_api_extra": (
        "import array_api_extra as xpx",
        """
        xpx.angle(x + 1j * u)
        xpx.apply_where(x > 0, (x, u), lambda a, b: xp.sqrt(a) * b, lambda a, b: a * a - b)
        xpx.apply_where(x > 0, x, xp.log, fill_value=3.0)
        xpx.at(x)[1:3].set(2 * x[3:5, :], copy=True)
        xpx.at(x)[0, :].add(x[1, :], copy=True)
        xpx.at(x)[:, 1].divide(p[:, 0], copy=True)
        xpx.at(x)[0, :].max(x[1, :], copy=True)
        xpx.at(x)[x > 0].multiply(3.0, copy=True)
        xpx.at(2 * x)[0, :].set(x[1, :], copy=False)
        xpx.atleast_nd(x, ndim=3)
        xpx.cov(x)
        xpx.create_diagonal(x[0, :], offset=1)
        xpx.deg2rad(x)
        xpx.expand_dims(x, axis=(0, 2))
        xpx.kron(x, u[:2, :])
        xpx.lazy_apply(lambda t: 2 * t, x)
        xpx.nan_to_num(xp.where(x > 0, xp.log(p), xp.nan))
        xpx.nanmax(xp.where(x > 0, x, xp.nan))
        xpx.nanmean(x, axis=0)
        xpx.nanmin(x, axis=0)
        xpx.nansum(x, axis=0)
        xpx.pad(x, ((1, 0), (0, 2)), constant_values=2.0)
        xp.sum(xpx.partition(x, 2, axis=0)[:3, :], axis=0)
        xpx.rad2deg(x)
        xpx.setdiff1d(x[0, :], x[1, :])
        xpx.sinc(x)
        xpx.union1d(x[0, :], x[1, :])
        """,
    ),
    "einops": (
        "import einops.array_api as einops",
        """
        einops.rearrange(x, "(a b) c -> c a b", a=2)
        einops.rearrange([x[0, :], x[1, :]], "n (a b) -> a n b", a=2)
        einops.reduce(x, "(a a2) (b b2) -> a b", "max", a2=2, b2=2)
        einops.reduce(x, "(a a2) b -> a b", "mean", a2=2)
        einops.reduce(x, "a b -> b", "min")
        einops.reduce(x, "a b -> b", "prod")
        einops.repeat(x, "a b -> a (b r)", r=2)
        einops.unpack(*einops.pack([x, u[:, 0]], "a *"), "a *")[0]
        """,
    ),
}


@pytest.mark.parametrize("package", PACKAGES)
def test_it_runs_and_its_gradients_are_right(package: str) -> None:
    if importlib.util.find_spec(package.partition(".")[0]) is None:
        pytest.skip(f"{package} is not installed")
    command = [sys.executable, __file__, package]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_array_api_compat_knows_tensors(backend) -> None:
    array_api_compat = importlib.import_module("array_api_compat")
    t = backend.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    assert array_api_compat.is_array_api_obj(t)
    assert array_api_compat.array_namespace(t, 2.0, None) is ag
    assert array_api_compat.array_namespace(t, api_version="2024.12") is ag
    assert array_api_compat.size(t) == 3
    assert array_api_compat.device(t) == t.device
    moved = array_api_compat.to_device(t, "cpu")
    assert moved.device == "cpu"
    assert moved.requires_grad
    assert not array_api_compat.is_numpy_array(t)
    assert not array_api_compat.is_torch_array(t)


# As a script -----------------------------------------------------------------------------------------


class Run:
    """The table's names, for a place where it is run: NumPy's, or a device's."""

    def __init__(self, device: str | None, imports: str) -> None:
        self.device = device
        self.names: dict[str, Any] = {"np": np, "RAW": RAW, "array": self.array}
        self.names["xp"] = np if device is None else ag
        exec(imports, self.names)

    def array(self, values: Any) -> Any:
        values = np.asarray(values)
        return values if self.device is None else ag.Tensor(values, device=self.device)

    def call(self, line: str, x: Any) -> Any:
        xp = self.names["xp"]
        p, u = abs(x) + 0.5, 1 / (1 + xp.exp(-x))
        long = xp.concat([x, x**2 + u, xp.sin(3 * x), p * u])
        code = line.partition("  #")[0]
        return eval(code, {**self.names, "x": x, "p": p, "u": u, "long": long})


def check(line: str, on_numpy: Run, run: Run) -> None:
    """Raise AssertionError if values or the gradient are wrong."""
    rng = np.random.default_rng(1)
    expected = np.asarray(on_numpy.call(line, RAW))
    x = ag.Tensor(RAW.copy(), device=run.device, requires_grad=True)
    out = run.call(line, x)
    assert isinstance(out, ag.Tensor), f"it gives a {type(out).__name__}"
    assert out.device == run.device, f"it ends on {out.device!r}"
    np.testing.assert_allclose(out.detach().cpu().numpy(), expected, rtol=1e-8, atol=1e-12)

    weights = rng.uniform(0.5, 1.5, size=expected.shape)
    out.backward(ag.Tensor(weights, device=run.device))
    assert x.grad is not None
    gradient = x.grad.cpu().numpy()
    assert gradient.any(), "its gradient is 0"
    for _ in range(
        3
    ):  # along random directions: it is wrong along all of them if it is wrong at all
        step = 1e-6 * rng.normal(size=RAW.shape)
        change = np.asarray(on_numpy.call(line, RAW + step)) - on_numpy.call(line, RAW - step)
        slope = np.sum(weights * change) / 2e-6
        np.testing.assert_allclose(np.sum(gradient * step) / 1e-6, slope, rtol=1e-4, atol=1e-6)


def main(package: str) -> None:
    imports, table = PACKAGES[package]
    lines = [line.strip() for line in table.strip().splitlines()]
    devices = ["cpu"]
    if importlib.util.find_spec("torch") is not None:
        torch = importlib.import_module("torch")
        torch.set_default_dtype(torch.float64)  # SciPy leaves the data type to the library at times
        devices.append("torch:cpu")
    warnings.simplefilter("ignore")
    on_numpy, failed = Run(None, imports), 0
    for device in devices:
        ag.set_default_device(device)
        run = Run(device, imports)
        for line in lines:
            if device != "cpu" and line.endswith("# not PyTorch"):
                continue
            try:
                check(line, on_numpy, run)
            except Exception as error:
                failed += 1
                place = traceback.extract_tb(error.__traceback__)[-1]
                print(f"{device}: {line}\n    {type(error).__name__}: {error}", file=sys.stderr)
                print(f"    in {place.filename}, line {place.lineno}", file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main(sys.argv[1])
