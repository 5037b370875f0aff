"""Compare agrad's names for networks with PyTorch's, and write docs/pytorch_names.md.

    python scripts/pytorch_names.py

It lists what PyTorch has in torch.nn, torch.nn.functional, torch.nn.init, torch.nn.utils,
torch.optim, torch.optim.lr_scheduler and torch.amp, and says of each name whether agrad has it.
"""

import argparse
import importlib
import inspect
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "pytorch_names.md"

# Old names, and what belongs to PyTorch's own machinery
LEFT_ASIDE = {
    "torch.nn": [
        *("Buffer", "Container", "DataParallel", "LinearCrossEntropyOptions", "NLLLoss2d"),
        *("Parameter", "RNNBase", "RNNCellBase", "SyncBatchNorm", "UninitializedBuffer"),
        *("UninitializedParameter", "UpsamplingBilinear2d", "UpsamplingNearest2d"),
        "factory_kwargs",
    ],
    "torch.nn.functional": [
        *("ScalingType", "SwizzleType", "Tensor", "assert_int_or_pair", "boolean_dispatch"),
        *("conv_tbc", "grouped_mm", "handle_torch_function", "has_torch_function"),
        *("has_torch_function_unary", "has_torch_function_variadic"),
        *("multi_head_attention_forward", "native_channel_shuffle", "scaled_grouped_mm"),
        *("scaled_mm", "upsample", "upsample_bilinear", "upsample_nearest"),
    ],
    "torch.nn.utils": [
        *("clip_grad_norm", "convert_conv2d_weight_memory_format"),
        *("convert_conv3d_weight_memory_format", "fuse_conv_bn_eval", "fuse_conv_bn_weights"),
        *("fuse_linear_bn_eval", "fuse_linear_bn_weights", "skip_init"),
    ],
    "torch.optim": ["SparseAdam", "swap_in_optimizer_params_and_state"],
    "torch.optim.lr_scheduler": ["EPOCH_DEPRECATION_WARNING", "LRScheduler"],
    "torch.nn.init": [
        *("constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "orthogonal"),
        *("sparse", "uniform", "xavier_normal", "xavier_uniform"),
    ],
    "torch.amp": [],
}


def public_names(chapter: str) -> list[str]:
    """Return the names of the classes and functions that PyTorch has in a module of its own."""
    module = importlib.import_module(chapter)
    is_functional = chapter.endswith("functional")
    names = getattr(module, "__all__", None)
    if names is None or is_functional:
        names = [name for name in vars(module) if not name.startswith("_")]
    return sorted(
        name
        for name in names
        if _belongs(getattr(module, name, None), chapter)
        and name not in LEFT_ASIDE.get(chapter, ())
        and not name.startswith("Lazy")  # layers that find out their sizes when first called
        and not name.endswith("_with_indices")
        and not (is_functional and name.endswith("_"))  # those that write in place
    )


def _belongs(value: Any, chapter: str) -> bool:
    """Return whether something is PyTorch's own class or function, no module or constant."""
    if not (inspect.isclass(value) or callable(value)) or inspect.ismodule(value):
        return False
    home = getattr(value, "__module__", None) or "torch"
    return home.startswith(("torch.nn", "torch.optim", "torch.amp")) or (
        home in ("torch", "torch._C._nn", "torch._jit_internal") and chapter.endswith("functional")
    )


def compare() -> dict[str, tuple[list[str], list[str]]]:
    """Return for each chapter which of PyTorch's names agrad has, and which are missing."""
    found = {}
    for chapter in LEFT_ASIDE:
        own = importlib.import_module(chapter.replace("torch", "agrad", 1))
        names = public_names(chapter)
        found[chapter] = (
            [name for name in names if hasattr(own, name)],
            [name for name in names if not hasattr(own, name)],
        )
    return found


def page() -> str:
    """Return docs/pytorch_names.md."""
    import torch

    parts = [
        "# PyTorch's names",
        "",
        f"Which of the names that PyTorch {torch.__version__.partition('+')[0]} has for networks "
        "agrad has. The tests hold what is there to",
        "PyTorch's values. Names of PyTorch's own machinery are left aside. This page is written",
        "by `python scripts/pytorch_names.py`.",
        "",
        "| PyTorch | there | missing |",
        "| --- | --- | --- |",
    ]
    found = compare()
    parts += [
        f"| `{chapter}` | {len(there)} | {len(missing)} |"
        for chapter, (there, missing) in found.items()
    ]
    for chapter, (there, missing) in found.items():
        parts += ["", f"## `{chapter}`", "", "There: " + _listed(there)]
        parts += ["", "Missing: " + _listed(missing)]
    return "\n".join(parts) + "\n"


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) + "." if names else "none."


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PAGE, help="where to write the page")
    args = parser.parse_args(argv)
    args.out.write_text(page())
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
