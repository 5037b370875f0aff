"""Sphinx's settings: `sphinx-build -W -b html docs docs/_build/html`."""

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
