"""Sphinx's settings: `sphinx-build -W -b html docs docs/_build/html`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from sphinx.addnodes import toctree

import agrad

project = "agrad"
author = "The agrad developers"
copyright = f"2026 {author}"
version = release = agrad.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"agrad {release}"

myst_heading_anchors = 3  # links to headings of other pages
default_role = "py:obj"  # `agrad.sum` in a docstring is a link

autodoc_typehints = "none"  # the docstrings say it, with shapes
numpydoc_show_class_members = False  # _templates/autosummary/class.rst shows them


def run_examples(app: Any) -> None:
    """Run the examples of a page that promises what other packages do."""
    here = Path(__file__).parent
    command = [sys.executable, here / "run_examples.py", here / "other_code.md"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"an example of other_code.md fails:\n{done.stdout}{done.stderr}")


def shorten_sidebar(app: Any, env: Any) -> None:
    """Leave the pages of single functions out of the sidebar, which is on all of these pages.

    The reference's tables lead to them.
    """
    for toc in env.tocs.values():
        for tree in list(toc.findall(toctree)):
            if any("/generated/" in name for name in tree["includefiles"]):
                tree.parent.remove(tree)


def setup(app: Any) -> None:
    app.connect("builder-inited", run_examples)
    app.connect("env-updated", shorten_sidebar)
