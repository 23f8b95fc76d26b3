"""The description of one operation, OpenAPI 3.1. Apart from the views, because the framework imports it while it builds them."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from console import shapes
from core.problem import TITLES

PREFIX = "/api/v1/"
PROBLEM_TYPE = "application/problem+json"


class LensSchema(AutoSchema):
    """Adds to every operation the problems it can answer with."""

    def get_tags(self) -> list[str]:
        """The first word of the path, which is the thing it speaks of."""
        return [self.path.removeprefix(PREFIX).split("/")[0]]

    def get_operation_id(self) -> str:
        """`get_events_event_id`: the method and the path, so that no two are alike."""
        words = [word.strip("{}") for word in self.path.removeprefix(PREFIX).split("/")]
        return "_".join([self.method.lower(), *words])

    def get_auth(self) -> list[Any]:
        """Any one of the schemes will do; the generator would ask for all of them at once."""
        return [{name: wanted} for scheme in super().get_auth() for name, wanted in scheme.items()]

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        for code in self._problems():
            body = self._get_response_for_code(OpenApiResponse(shapes.Problem, _titles(code)), str(code), [PROBLEM_TYPE])  # type: ignore[no-untyped-call]
            if str(code) in bodies:
                bodies[str(code)].setdefault("content", {}).update(body["content"])
            else:
                bodies[str(code)] = body
        return dict(sorted(bodies.items()))

    def _problems(self) -> set[int]:
        found = {500, *getattr(self.view, "described_problems", ())}
        if getattr(self.view, "required_scope", None):
            found |= {400, 401, 403, 503}
        if "{" in self.path:
            found.add(404)
        return found | ({400, 413, 415} if self.method == "POST" else set())


def public_only(endpoints: list[Any]) -> list[Any]:
    """The described addresses: those of the versioned API, so that probes are not described twice, and none again with a slash."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(PREFIX) and not endpoint[0].endswith("/")]


def without_marks(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The description without the generator's own notes."""
    _strip(result)
    return result


def _strip(node: Any) -> None:
    if isinstance(node, dict):
        node.pop("x-spec-enum-id", None)
    for member in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _strip(member)


def _titles(status: int) -> str:
    return "; ".join(f"`{code}`: {title}" for code, (number, title) in TITLES.items() if number == status)
