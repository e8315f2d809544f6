"""What the documents promise is there."""

import ast
import re
from pathlib import Path

import pytest

from scrm.up.folder import ROOT

ROWS = re.findall(
    r"^\| (F\d+) \| [^|]+ \| `(tests/[\w/]+\.py)::(\w+)` \| ([^|]+) \|$", (ROOT / "docs/faults.md").read_text(), re.M
)
NOT_FOR_PEOPLE = {"migrate_all", "run_scheduler", "seed_demo", "messages"}
WANTED = {1, 2, 4, 5, 8, 9, *range(11, 28), *range(29, 32), *range(33, 39), 40, 43, 44, 48}


def decorators_of(file: Path, name: str) -> list[str]:
    """As they are written, with the constants they name."""
    tree = ast.parse(file.read_text())
    constants = {
        ast.unparse(one.targets[0]): ast.unparse(one.value) for one in tree.body if isinstance(one, ast.Assign)
    }
    [test] = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name]
    written = [ast.unparse(one) for one in test.decorator_list]
    return written + [value for constant, value in constants.items() if any(constant in one for one in written)]


def test_every_fault_that_is_promised_has_its_line():
    assert {int(fault[1:]) for fault, *_ in ROWS} == WANTED
    assert len(ROWS) == (ROOT / "docs/faults.md").read_text().count("\n| F") - 1


@pytest.mark.parametrize(("fault", "file", "name", "full"), ROWS, ids=[f"{row[0]}-{row[2]}" for row in ROWS])
def test_every_test_of_a_fault_is_there_in_the_sizes_that_are_promised(fault, file, name, full):
    written = decorators_of(ROOT / file, name)
    in_two_sizes = any("in_two_sizes" in one or "pytest.mark.faults" in one for one in written)
    assert in_two_sizes == (not full.startswith("as the short one")), written


def test_both_readmes_name_the_same_commands_and_files_and_these_are_there():
    readmes = [(ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md")]
    english, chinese = [set(re.findall(r"`([^`\n]+)`", text)) for text in readmes]
    assert english == chinese
    ours = {file.stem for file in ROOT.glob("*/management/commands/[a-z]*.py")}
    assert ours - NOT_FOR_PEOPLE <= english
    for text in readmes:
        assert [link for link in re.findall(r"\]\(([^)]+)\)", text) if not (ROOT / link).exists()] == []
