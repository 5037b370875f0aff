"""Run the examples of a page, as doctests: `python docs/run_examples.py docs/other_code.md`.

For pages that need a process of their own, since SciPy must be told before it is imported that it
may be given Tensors.
"""

import doctest
import os
import re
import sys
from pathlib import Path

os.environ["SCIPY_ARRAY_API"] = "1"
page = Path(sys.argv[1])
text = re.sub(r"^```.*$", "", page.read_text("utf-8"), flags=re.MULTILINE)
test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
failed, tried = doctest.DocTestRunner(optionflags=options).run(test)
sys.exit(failed > 0 or tried == 0)
