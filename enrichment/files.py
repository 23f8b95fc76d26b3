"""Strict YAML: no key twice, nothing unknown, and every fault named with its file and line."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


class FileFaultError(Exception):
    """A configuration file does not make sense; the message lists each fault as `file:line: what`."""


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice instead of taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key for key, _ in node.value]
        for place, key in enumerate(keys):
            if key.value in [before.value for before in keys[:place]]:
                raise yaml.MarkedYAMLError(problem=f"{key.value} is given twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping a file holds. Raises FileFaultError."""
    try:
        content = yaml.load(path.read_text(), _StrictLoader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or type(error).__name__
        raise FileFaultError(f"{_place(path, mark.line + 1 if mark else None)}: {what}") from error
    if not isinstance(content, dict):
        raise FileFaultError(f"{path.name}: a mapping is expected")
    return content


def fitted(model: type[M], content: dict[str, Any], path: Path) -> M:
    """The content as a model, line numbers taken from `path`. Raises FileFaultError with all faults at once."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise FileFaultError("\n".join(_faults(error, path))) from error


def _faults(error: ValidationError, path: Path) -> Iterator[str]:
    root = yaml.compose(path.read_text(), _StrictLoader)
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"])
        yield f"{_place(path, _line(root, item['loc']))}: {where}: {item['msg']}"


def _line(node: yaml.Node | None, loc: tuple[int | str, ...]) -> int | None:
    """The line of the deepest part of `loc` that is written in this file; None when none of it is (it came from a parent)."""
    line = None
    for part in loc:
        name, node = _member(node, part)
        if name is None:
            return line
        line = name.start_mark.line + 1
    return line


def _member(node: yaml.Node | None, part: int | str) -> tuple[yaml.Node | None, yaml.Node | None]:
    """Where a member is named, and what it holds."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), (None, None))
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None, None


def _place(path: Path, line: int | None) -> str:
    return path.name if line is None else f"{path.name}:{line}"
