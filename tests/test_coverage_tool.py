"""tools/coverage.py reads a table of names and weighs those that resolve by their uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[1] / "tools" / "coverage.py"
TABLE = """kind\tname\tall_uses\tspellings
name\ttheano.tensor.dot\t60\ttheano.tensor.dot:60
name\ttheano.tensor.no_such_conv\t30\ttheano.tensor.no_such_conv:30
name\ttheano.tensor.nothing\t10\ttheano.tensor.nothing:10
name\ttheano.sandbox.cuda.dnn\t900\ttheano.sandbox.cuda.dnn:900
method(.attr)\t.dimshuffle\t3\t
method(.attr)\t.no_such_sort\t1\t
keyword\ttheano.function(updates=)\t3\t
keyword\t.get_value(borrow=)\t1\t
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TOOL), *arguments], capture_output=True, text=True, check=False)


def test_names_are_weighed_by_use_and_the_rest_is_listed_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "usage.tsv").write_text(TABLE)
    done = run(str(tmp_path / "usage.tsv"))
    assert done.stdout.splitlines() == [
        "names: 1 of 3 resolve, 60.0 % of 100 uses",
        "  conv (30): theano.tensor.no_such_conv 30",
        "  not yet (10): theano.tensor.nothing 10",
        "methods: 1 of 2 resolve, 75.0 % of 4 uses",
        "  sort (1): .no_such_sort 1",
        "keywords: 2 of 2 resolve, 100.0 % of 4 uses",
    ], done.stderr


def test_without_a_table_it_says_what_it_is_for() -> None:
    done = run()
    assert done.returncode == 2 and "usage.tsv" in done.stderr
