"""Losses as modules."""

from collections.abc import Callable
from typing import Literal

from agrad.nn import functional as F
from agrad.nn.module import Module
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]

Reduction = Literal["mean", "sum", "none"]


class _Loss(Module):
    """What all losses have in common: `repr` shows the settings that are numbers or words."""

    def extra_repr(self) -> str:
        shown = [(name, value) for name, value in vars(self).items() if name != "training"]
        return ", ".join(f"{n}={v!r}" for n, v in shown if isinstance(v, (str, int, float)))


class CrossEntropyLoss(_Loss):
    """The cross-entropy of softmax of scores against the right classes.

    See `functional.cross_entropy`.

    Parameters
    ----------
    weight : Tensor, optional
        How much each class counts, of shape (classes,).
    ignore_index : int, optional
        Examples of this class count nothing; -100 if not given, see the function.
    reduction : {"mean", "sum", "none"}
        What becomes of a batch.
    label_smoothing : float
        How much of each target, from 0 to 1, is spread evenly over all classes.

    Examples
    --------
    >>> import agrad as ag
    >>> scores = ag.Tensor([[0.0, 0.0], [100.0, 0.0]])
    >>> ag.nn.CrossEntropyLoss(reduction="sum")(scores, [0, 0]).item()
    0.6931471805599453
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction: Reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_Loss):
    """Minus the log-probabilities of the right classes, such as `LogSoftmax` gives them.

    See `functional.nll_loss`.

    Parameters
    ----------
    weight : Tensor, optional
        How much each class counts, of shape (classes,).
    ignore_index : int
        Examples of this class count nothing.
    reduction : {"mean", "sum", "none"}
        What becomes of a batch.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.NLLLoss()(ag.Tensor([[-1.0, -2.0], [-3.0, -4.0]]), [0, 1]).item()
    2.5
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction: Reduction = reduction

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.nll_loss(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class MSELoss(_Loss):
    """The squared errors, (x - y)².

    See `functional.mse_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.MSELoss()(ag.Tensor([1.0, 2.0]), ag.Tensor([1.0, 4.0])).item()
    2.0
    """

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """The absolute errors, abs(x - y).

    See `functional.l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.L1Loss()(ag.Tensor([1.0, 2.0]), ag.Tensor([1.0, 5.0])).item()
    1.5
    """

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.l1_loss(input, target, reduction=self.reduction)


class HuberLoss(_Loss):
    """Half the squared errors up to `delta`, and from there on a straight line.

    See `functional.huber_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.
    delta : float
        The error from which on the loss grows evenly; positive.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.HuberLoss(reduction="sum")(ag.Tensor([1.0, 10.0]), 0.0).item()
    10.0
    """

    def __init__(self, *, reduction: Reduction = "mean", delta: float = 1.0) -> None:
        self.reduction: Reduction = reduction
        self.delta = delta

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class SmoothL1Loss(_Loss):
    """The absolute errors, rounded off near 0: `HuberLoss` over its delta.

    See `functional.smooth_l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.
    beta : float
        Up to which error the loss is rounded off.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.SmoothL1Loss(beta=2.0)(ag.Tensor([1.0]), 0.0).item()
    0.25
    """

    def __init__(self, *, reduction: Reduction = "mean", beta: float = 1.0) -> None:
        self.reduction: Reduction = reduction
        self.beta = beta

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class BCELoss(_Loss):
    """-y log(p) - (1 - y) log(1 - p), for probabilities p such as `Sigmoid` gives them.

    See `functional.binary_cross_entropy`.

    Parameters
    ----------
    weight : Tensor, optional
        How much each loss counts; it broadcasts against them.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.BCELoss()(ag.Tensor([0.5]), ag.Tensor([1.0])).item()
    0.6931471805599453
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: Reduction = "mean") -> None:
        self.register_buffer("weight", weight)
        self.reduction: Reduction = reduction

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """`BCELoss` of sigmoid of the scores, exact for scores of any size.

    See `functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight : Tensor, optional
        How much each loss counts; it broadcasts against them.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.
    pos_weight : Tensor, optional
        How much the part with log(p) counts; it broadcasts against the losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.BCEWithLogitsLoss()(ag.Tensor([-1000.0]), ag.Tensor([1.0])).item()
    1000.0
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        reduction: Reduction = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        self.register_buffer("weight", weight)
        self.reduction: Reduction = reduction
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.binary_cross_entropy_with_logits(
            input, target, weight=self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(_Loss):
    """y (log y - log p), whose sum is the relative entropy, for logarithms of p.

    See `functional.kl_div`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "batchmean"}
        What becomes of the single terms; "batchmean" is the mean of the relative entropies.
    log_target : bool
        Whether the targets are logarithms, too.

    Examples
    --------
    >>> import agrad as ag
    >>> log_p = ag.log(ag.Tensor([[0.5, 0.5]]))
    >>> ag.nn.KLDivLoss(reduction="batchmean")(log_p, ag.Tensor([[1.0, 0.0]])).item()
    0.6931471805599453
    """

    def __init__(
        self,
        *,
        reduction: Literal["mean", "sum", "none", "batchmean"] = "mean",
        log_target: bool = False,
    ) -> None:
        self.reduction: Literal["mean", "sum", "none", "batchmean"] = reduction
        self.log_target = log_target

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class HingeEmbeddingLoss(_Loss):
    """x where y is 1, and max(0, margin - x) where it is -1, for distances x.

    See `functional.hinge_embedding_loss`.

    Parameters
    ----------
    margin : float
        How far is far enough.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.HingeEmbeddingLoss()(ag.Tensor([0.25]), ag.Tensor([-1])).item()
    0.75
    """

    def __init__(self, margin: float = 1.0, *, reduction: Reduction = "mean") -> None:
        self.margin = margin
        self.reduction: Reduction = reduction

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class MarginRankingLoss(_Loss):
    """max(0, margin - y (x1 - x2)): 0 where the right one is greater by a margin.

    See `functional.margin_ranking_loss`.

    Parameters
    ----------
    margin : float
        By how much.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.MarginRankingLoss()(ag.Tensor([3.0]), ag.Tensor([1.0]), ag.Tensor([-1])).item()
    2.0
    """

    def __init__(self, margin: float = 0.0, *, reduction: Reduction = "mean") -> None:
        self.margin = margin
        self.reduction: Reduction = reduction

    def forward(self, input1: Tensor, input2: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.margin_ranking_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class SoftMarginLoss(_Loss):
    """log(1 + exp(-y x)), for scores x and their right signs y.

    See `functional.soft_margin_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.SoftMarginLoss()(ag.Tensor([-1000.0]), ag.Tensor([1])).item()
    1000.0
    """

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_Loss):
    """`BCEWithLogitsLoss`, the mean over the classes, for each example.

    See `functional.multilabel_soft_margin_loss`.

    Parameters
    ----------
    weight : Tensor, optional
        How much each class counts, of shape (classes,).
    reduction : {"mean", "sum", "none"}
        What becomes of the examples' losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.MultiLabelSoftMarginLoss()(ag.Tensor([[0.0, 0.0]]), ag.Tensor([[1.0, 0.0]])).item()
    0.6931471805599453
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: Reduction = "mean") -> None:
        self.register_buffer("weight", weight)
        self.reduction: Reduction = reduction

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.multilabel_soft_margin_loss(
            input, target, weight=self.weight, reduction=self.reduction
        )


class MultiMarginLoss(_Loss):
    """The sum of max(0, margin - x[y] + x[i])^p over the wrong classes i, over the classes.

    See `functional.multi_margin_loss`.

    Parameters
    ----------
    p : {1, 2}
        The power.
    margin : float
        By how much the right class's score should be greater than the others.
    weight : Tensor, optional
        How much each right class counts, of shape (classes,).
    reduction : {"mean", "sum", "none"}
        What becomes of the examples' losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.MultiMarginLoss()(ag.Tensor([[1.0, 3.0]]), [0]).item()
    1.5
    """

    weight: Tensor | None

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        *,
        reduction: Reduction = "mean",
    ) -> None:
        self.p = p
        self.margin = margin
        self.register_buffer("weight", weight)
        self.reduction: Reduction = reduction

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.multi_margin_loss(
            input,
            target,
            p=self.p,
            margin=self.margin,
            weight=self.weight,
            reduction=self.reduction,
        )


class CosineEmbeddingLoss(_Loss):
    """1 - cos(x1, x2) where y is 1, and max(0, cos(x1, x2) - margin) where it is -1.

    See `functional.cosine_embedding_loss`.

    Parameters
    ----------
    margin : float
        The cosine up to which vectors aren't alike, from -1 to 1.
    reduction : {"mean", "sum", "none"}
        What becomes of the pairs' losses.

    Examples
    --------
    >>> import agrad as ag
    >>> x1, x2 = ag.Tensor([[1.0, 0.0]]), ag.Tensor([[0.0, 2.0]])
    >>> ag.nn.CosineEmbeddingLoss()(x1, x2, ag.Tensor([1])).item()
    1.0
    """

    def __init__(self, margin: float = 0.0, *, reduction: Reduction = "mean") -> None:
        self.margin = margin
        self.reduction: Reduction = reduction

    def forward(self, input1: Tensor, input2: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.cosine_embedding_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class TripletMarginLoss(_Loss):
    """max(0, margin + d(anchor, positive) - d(anchor, negative)), d being the distance.

    See `functional.triplet_margin_loss`.

    Parameters
    ----------
    margin : float
        By how much the positive should be nearer.
    p : float
        Which norm the distances are.
    eps : float
        What is added to the differences.
    swap : bool
        Whether the negative's distance is that from the positive, where this is smaller.
    reduction : {"mean", "sum", "none"}
        What becomes of the triplets' losses.

    Examples
    --------
    >>> import agrad as ag
    >>> anchor, far = ag.Tensor([[0.0, 0.0]]), ag.Tensor([[3.0, 4.0]])
    >>> round(ag.nn.TripletMarginLoss()(anchor, far, anchor).item(), 4)
    6.0
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        *,
        reduction: Reduction = "mean",
    ) -> None:
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap
        self.reduction: Reduction = reduction

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss."""
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(_Loss):
    """max(0, margin + d(anchor, positive) - d(anchor, negative)), for a distance d.

    See `functional.triplet_margin_with_distance_loss`.

    Parameters
    ----------
    distance_function : callable, optional
        d, which gives a distance for each triplet; that of `PairwiseDistance` if not given.
    margin, swap, reduction
        As for `TripletMarginLoss`.

    Examples
    --------
    >>> import agrad as ag
    >>> anchor, far = ag.Tensor([[0.0, 0.0]]), ag.Tensor([[3.0, 4.0]])
    >>> loss = ag.nn.TripletMarginWithDistanceLoss(
    ...     distance_function=lambda x, y: abs(x - y).max(axis=-1)
    ... )
    >>> loss(anchor, far, anchor).item()
    5.0
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        self.distance_function = distance_function
        self.margin = margin
        self.swap = swap
        self.reduction: Reduction = reduction

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class PoissonNLLLoss(_Loss):
    """Minus the log-probabilities of counts under Poisson distributions.

    See `functional.poisson_nll_loss`.

    Parameters
    ----------
    log_input : bool
        Whether what comes in is the logarithms of the expected counts.
    full : bool
        Whether to add Stirling's approximation of log(y!) where y > 1.
    eps : float
        What is added to expected counts, lest one is 0.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.PoissonNLLLoss()(ag.Tensor([0.0]), ag.Tensor([3.0])).item()
    1.0
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        *,
        eps: float = 1e-8,
        reduction: Reduction = "mean",
    ) -> None:
        self.log_input = log_input
        self.full = full
        self.eps = eps
        self.reduction: Reduction = reduction

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        """Return the loss."""
        return F.poisson_nll_loss(
            input,
            target,
            log_input=self.log_input,
            full=self.full,
            eps=self.eps,
            reduction=self.reduction,
        )


class GaussianNLLLoss(_Loss):
    """Minus the log-densities of numbers under normal distributions.

    See `functional.gaussian_nll_loss`.

    Parameters
    ----------
    full : bool
        Whether to add the constant log(2π) / 2.
    eps : float
        The smallest variance; positive.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.GaussianNLLLoss()(ag.Tensor([0.0]), ag.Tensor([2.0]), ag.Tensor([1.0])).item()
    2.0
    """

    def __init__(
        self, *, full: bool = False, eps: float = 1e-6, reduction: Reduction = "mean"
    ) -> None:
        self.full = full
        self.eps = eps
        self.reduction: Reduction = reduction

    def forward(self, input: Tensor, target: TensorLike, var: TensorLike) -> Tensor:
        """Return the loss."""
        return F.gaussian_nll_loss(
            input, target, var, full=self.full, eps=self.eps, reduction=self.reduction
        )


class CTCLoss(_Loss):
    """Minus the log-probabilities of sequences of labels, over all alignments.

    See `functional.ctc_loss`.

    Parameters
    ----------
    blank : int
        The class that stands for no label.
    reduction : {"mean", "sum", "none"}
        What becomes of a batch; "mean" divides each loss by its number of labels first.
    zero_infinity : bool
        Whether infinite losses, of sequences that are too short, become 0.

    Examples
    --------
    >>> import agrad as ag
    >>> log_p = ag.log_softmax(ag.zeros((4, 1, 3)))
    >>> round(ag.nn.CTCLoss()(log_p, [[1, 2]], [4], [2]).item(), 4)
    0.8432
    """

    def __init__(
        self, blank: int = 0, reduction: Reduction = "mean", zero_infinity: bool = False
    ) -> None:
        self.blank = blank
        self.reduction: Reduction = reduction
        self.zero_infinity = zero_infinity

    def forward(
        self,
        log_probs: Tensor,
        targets: TensorLike,
        input_lengths: TensorLike,
        target_lengths: TensorLike,
    ) -> Tensor:
        """Return the loss."""
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            reduction=self.reduction,
            zero_infinity=self.zero_infinity,
        )
