"""The one schema in each vendor's dialect, by the rung of the ladder a model stands on. Pure; golden files hold the results.

The canonical schema (evaluation/schemas.py) is written in the strictest common subset and goes to OpenAI and Anthropic as it is.
"""

import copy
from collections.abc import Mapping
from typing import Any

from core.canonical import canonical

Schema = Mapping[str, Any]


def instructions(system: str, schema: Schema, structured: str) -> str:
    """The instructions; where the wire has no place for a schema and they do not hold it yet, with the schema below them."""
    spelled_out = canonical(schema)
    if structured in {"strict_schema", "json_schema"} or spelled_out in system:
        return system
    return f"{system}\n\nThe JSON schema of your answer:\n{spelled_out}"


def openai_format(schema: Schema, structured: str) -> dict[str, Any] | None:
    """What OpenAI's two interfaces call a format, flat as Responses wants it; None to ask for text."""
    match structured:
        case "strict_schema":
            return {"type": "json_schema", "name": "answer", "strict": True, "schema": schema}
        case "json_schema":
            # Some servers refuse the very word `strict`.
            return {"type": "json_schema", "name": "answer", "schema": schema}
        case "json_object":
            return {"type": "json_object"}
    return None


def gemini_format(schema: Schema, structured: str) -> dict[str, Any]:
    """The members of Gemini's generation config that hold an answer to its shape; none to ask for text."""
    match structured:
        case "strict_schema":
            held = {"response_json_schema": _ordered(schema)}
        case "json_schema":
            held = {"response_schema": _openapi(_ordered(schema))}
        case "json_object":
            held = {}
        case _:
            return {}
    return {"response_mime_type": "application/json", **held}


def _ordered(schema: Schema) -> dict[str, Any]:
    """Gemini's JSON schema: references followed, and the order of members said aloud, since it is not kept otherwise."""
    whole = _inlined(copy.deepcopy(dict(schema)), schema.get("$defs", {}))
    return {name: part for name, part in whole.items() if name != "$defs"}


def _inlined(node: Any, defs: Schema) -> Any:
    if isinstance(node, list):
        return [_inlined(member, defs) for member in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(copy.deepcopy(defs[node["$ref"].rpartition("/")[2]]), defs)
    whole = {name: _inlined(part, defs) for name, part in node.items()}
    return {**whole, "propertyOrdering": list(whole["properties"])} if isinstance(whole.get("properties"), dict) else whole


def _openapi(node: Schema) -> dict[str, Any]:
    """Gemini's older dialect, a subset of OpenAPI: its own type names, `nullable`, no `additionalProperties`."""
    branches = node.get("anyOf", [])
    solid = [_openapi(branch) for branch in branches if branch.get("type") != "null"]
    if branches:
        nullable = {"nullable": True} if len(solid) < len(branches) else {}
        return {**(solid[0] if len(solid) == 1 else {"anyOf": solid}), **nullable}
    said = {name: part for name, part in node.items() if name != "additionalProperties"}
    if "type" in said:
        said["type"] = said["type"].upper()
    if "properties" in said:
        said["properties"] = {name: _openapi(part) for name, part in said["properties"].items()}
    if "items" in said:
        said["items"] = _openapi(said["items"])
    return said
