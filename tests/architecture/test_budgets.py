"""The house's budgets: small files, small functions, documented modules, one broad except, no lazy import."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("lens_project", "core", "access", "audit", "signals", "enrichment", "evaluation", "publishing", "console", "sandbox")
BROAD_EXCEPT_LIVES_IN = "signals/stage.py"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[Path]:
    """The product's Python files, migrations and empty package markers left out."""
    files = [path for top in PRODUCT for path in (ROOT / top).rglob("*.py") if "migrations" not in path.parts]
    return sorted(path for path in files if path.stat().st_size)


def parsed() -> Iterator[tuple[Path, ast.Module]]:
    for path in sources():
        yield path.relative_to(ROOT), ast.parse(path.read_text())


def functions() -> Iterator[tuple[str, Function]]:
    for path, module in parsed():
        for node in ast.walk(module):
            if isinstance(node, Function):
                yield f"{path}:{node.lineno} {node.name}", node


def length(node: Function) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def code_lines(module: ast.Module) -> int:
    """Lines that hold code: blank lines, comments and docstrings explain, and are not rationed."""
    held = {line for node in ast.walk(module) if isinstance(node, ast.stmt | ast.expr) for line in _span(node)}
    return len(held - {line for node in ast.walk(module) for line in _docstring(node)})


def _span(node: ast.stmt | ast.expr) -> range:
    """A definition's own first line; everything else whole."""
    last = node.lineno if isinstance(node, Function | ast.ClassDef) else node.end_lineno
    return range(node.lineno, (last or node.lineno) + 1)


def _docstring(node: ast.AST) -> range:
    if isinstance(node, Function | ast.ClassDef | ast.Module) and ast.get_docstring(node) is not None:
        return range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    return range(0)


def test_no_file_is_longer_than_400_lines_and_few_are_long() -> None:
    assert [str(path) for path in sources() if len(path.read_text().splitlines()) > 400] == []
    lengths = [code_lines(module) for _, module in parsed()]
    assert median(lengths) <= 60
    assert quantiles(lengths, n=10)[8] <= 200


def test_no_function_is_longer_than_50_lines_and_most_are_short() -> None:
    lengths = {name: length(node) for name, node in functions()}
    assert {name: lines for name, lines in lengths.items() if lines > 50} == {}
    assert median(lengths.values()) <= 8
    assert quantiles(lengths.values(), n=10)[8] <= 25


def test_every_module_says_what_it_is_for() -> None:
    assert [str(path) for path, module in parsed() if not ast.get_docstring(module)] == []


def test_every_public_class_and_module_function_says_what_it_does() -> None:
    silent = [
        f"{path}:{node.lineno} {node.name}"
        for path, module in parsed()
        for node in module.body
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_only_the_stage_catches_everything() -> None:
    broad = {
        str(path)
        for path, module in parsed()
        for node in ast.walk(module)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
    }
    assert broad == {BROAD_EXCEPT_LIVES_IN}


def test_no_import_hides_in_a_function() -> None:
    hidden = [name for name, node in functions() for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom)]
    assert hidden == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "NotImplementedError", "pragma: no cover"])
def test_nothing_is_left_unfinished(word: str) -> None:
    assert [str(path) for path in sources() if word in path.read_text()] == []
