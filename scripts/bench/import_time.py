"""Time `import agrad` on top of `import numpy`, and PyTorch's import.

    python scripts/bench/import_time.py

Each import runs in a fresh interpreter, in turns.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys

from arguments import positive_int
from machine import pin

# What to import, and what is there before and doesn't count
IMPORTS = {"numpy": "sys", "agrad": "numpy", "torch": "sys", "jax": "sys"}


def seconds(module: str, before: str) -> float:
    """Return the seconds of an import, `before` being imported already."""
    code = (
        f"import {before}; from time import perf_counter as now; "
        f"start = now(); import {module}; print(now() - start)"
    )
    command = [sys.executable, "-c", code]
    # Compiled files are kept, as they are for users
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    return float(done.stdout)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=positive_int, default=20)
    parser.add_argument("--modules", nargs="+", choices=IMPORTS, default=list(IMPORTS))
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    args = parser.parse_args(argv)
    pin()

    found: dict[str, list[float]] = {m: [] for m in args.modules if importlib.util.find_spec(m)}
    for repeat in range(args.repeats + 1):
        for module, times in found.items():
            taken = seconds(module, IMPORTS[module])
            if repeat:  # the first compiles, and reads from the disk
                times.append(taken)
    medians = {module: 1000 * statistics.median(times) for module, times in found.items()}
    missing = {m: f"No module named {m!r}" for m in args.modules if m not in found}
    if args.json:
        print(json.dumps({"milliseconds": medians, "missing": missing}))
    else:
        for module, milliseconds in medians.items():
            over = " (numpy being there)" if module == "agrad" else ""
            print(f"import {module}{over}: {milliseconds:.0f} ms")
    for module, reason in missing.items():
        print(f"{module} is left out: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
