"""What a vendor does with a JSON schema: shape the answer to it, and refuse schemas it would refuse.

Understands the subset the vendors share: object, array, string, number, integer, boolean, null, `enum`, `const`, `anyOf`/`oneOf`,
local `$ref`, bounds; Gemini's upper-case type names, snake-case spellings and `nullable` too.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

Schema = Mapping[str, Any]

_COMPOUND = ("anyOf", "oneOf", "allOf", "prefixItems")
_BOUNDS = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("maxItems", "uniqueItems"),
}


class SchemaError(ValueError):
    """A schema that no answer can be shaped to."""


def conform(value: Any, schema: Schema) -> Any:
    """`value` bent as little as needed to satisfy `schema`; objects get exactly their required members (all, if none is named).

    Raises SchemaError when the schema cannot be followed: a dangling or endless reference, members of the wrong shape.
    """
    try:
        return _conform(value, schema, schema)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SchemaError(f"the schema cannot be followed: {error!r}") from error


def strict_problem(schema: Schema, where: tuple[str, ...] = ()) -> str | None:
    """What OpenAI's strict mode objects to, in its own words; None when it accepts the schema."""
    if not where and schema.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            return f"In context={where}, 'additionalProperties' is required to be supplied and to be false."
        missing = next((name for name in schema.get("properties", {}) if name not in schema.get("required", ())), None)
        if missing is not None:
            return (
                f"In context={where}, 'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{missing}'."
            )
    return next((problem for step, part in _parts(schema) if (problem := strict_problem(part, (*where, *step)))), None)


def bounded_problem(schema: Schema) -> str | None:
    """What Anthropic's structured output objects to: open objects, and bounds its grammar cannot hold."""
    for kind in _types(schema):
        unsupported = [name for name in _BOUNDS.get(kind, ()) if name in schema]
        if unsupported:
            return f"For '{kind}' type, properties {', '.join(unsupported)} are not supported"
        if kind == "object" and schema.get("additionalProperties") is not False:
            return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    return next((problem for _, part in _parts(schema) if (problem := bounded_problem(part))), None)


def _parts(schema: Schema) -> Iterator[tuple[tuple[str, ...], Schema]]:
    for group in ("properties", "$defs", "definitions"):
        named = schema.get(group)
        for name, part in named.items() if isinstance(named, dict) else ():
            yield (group, name), part if isinstance(part, dict) else {}
    if isinstance(schema.get("items"), dict):
        yield ("items",), schema["items"]
    for group in _COMPOUND:
        listed = schema.get(group)
        for index, part in enumerate(listed if isinstance(listed, list) else ()):
            yield (group, str(index)), part if isinstance(part, dict) else {}


def _conform(value: Any, schema: Schema, root: Schema) -> Any:
    schema = _dereferenced(schema, root)
    if value is None and schema.get("nullable"):
        return None
    branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("any_of")
    if branches:
        return _conform(value, _branch(value, branches, root), root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return _member(value, schema["enum"])
    shape = _SHAPES.get(_chosen_type(value, schema))
    return value if shape is None else shape(value, schema, root)


def _dereferenced(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#"):
        return schema
    target: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            target = target[step]
    return _dereferenced(target, root)


def _types(schema: Schema) -> list[str]:
    declared = schema.get("type", [])
    names = [declared] if isinstance(declared, str) else list(declared)
    return [name.lower() for name in names]


def _type_of(value: Any) -> str:
    return _TYPES.get(type(value), "object")


def _chosen_type(value: Any, schema: Schema) -> str:
    types = _types(schema)
    own = _type_of(value)
    if own in types:
        return own
    if own == "integer" and "number" in types:
        return "number"
    if not types:
        return "object" if "properties" in schema else "any"
    return next((name for name in types if name != "null"), "null")


def _branch(value: Any, branches: list[Schema], root: Schema) -> Schema:
    own = {_type_of(value)} | ({"number"} if isinstance(value, int) else set())
    open_branches = [_dereferenced(branch, root) for branch in branches]
    fitting = (branch for branch in open_branches if own & set(_types(branch)))
    return next(fitting, next((branch for branch in open_branches if "null" not in _types(branch)), open_branches[0]))


def _member(value: Any, allowed: list[Any]) -> Any:
    return value if value in allowed else allowed[sum(str(value).encode()) % len(allowed)]


def _object(value: Any, schema: Schema, root: Schema) -> dict[str, Any]:
    members = value if isinstance(value, dict) else {}
    properties = schema.get("properties") or {}
    names = schema.get("required") or list(properties)
    return {name: _conform(members.get(name), properties.get(name, {}), root) for name in names}


def _array(value: Any, schema: Schema, root: Schema) -> list[Any]:
    members = list(value) if isinstance(value, list) else []
    members += [None] * (int(schema.get("minItems") or schema.get("min_items") or 0) - len(members))
    limit = schema.get("maxItems", schema.get("max_items"))
    kept = members if limit is None else members[: int(limit)]
    return [_conform(member, schema.get("items") or {}, root) for member in kept]


def _number(value: Any, schema: Schema, _: Schema) -> float:
    number: float = 0
    with suppress(TypeError, ValueError):
        number = value if isinstance(value, int | float) else float(value)
    low, high = schema.get("minimum"), schema.get("maximum")
    number = number if low is None else max(number, low)
    return number if high is None else min(number, high)


def _integer(value: Any, schema: Schema, root: Schema) -> int:
    return round(_number(value, schema, root))


def _string(value: Any, _schema: Schema, _root: Schema) -> str:
    return "unspecified" if value is None else str(value)


_TYPES = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
_SHAPES: Mapping[str, Callable[[Any, Schema, Schema], Any]] = {
    "object": _object,
    "array": _array,
    "number": _number,
    "integer": _integer,
    "string": _string,
    "boolean": lambda value, _schema, _root: bool(value),
    "null": lambda _value, _schema, _root: None,
}
