"""The models the simulator lists. It answers for any name; these are the ones it admits to."""

from aiohttp import web

from sandbox.llm.wire import json_answer, token

OPENAI = ("gpt-5", "gpt-5-mini", "gpt-4o", "deepseek-chat")
ANTHROPIC = ("claude-sonnet-4-5", "claude-haiku-4-5")
GEMINI = ("gemini-2.5-flash", "gemini-2.5-pro")
BORN = 1_735_689_600
BORN_TEXT = "2025-01-01T00:00:00Z"


async def list_models(request: web.Request) -> web.Response:
    """`GET /v1/models`, a path three vendors share: in the shape of the vendor whose headers the request bears."""
    if "x-goog-api-key" in request.headers:
        return _gemini()
    return _anthropic() if "anthropic-version" in request.headers else _openai()


async def list_gemini(_: web.Request) -> web.Response:
    """`GET /v1beta/models`, Gemini's alone."""
    return _gemini()


def _gemini() -> web.Response:
    models = [
        {
            "name": f"models/{name}",
            "version": "001",
            "displayName": name,
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }
        for name in GEMINI
    ]
    return json_answer({"models": models}, {})


def _openai() -> web.Response:
    data = [{"id": name, "object": "model", "created": BORN, "owned_by": "system"} for name in OPENAI]
    return json_answer({"object": "list", "data": data}, {"x-request-id": f"req_{token(32).lower()}"})


def _anthropic() -> web.Response:
    data = [
        {"type": "model", "id": name, "display_name": name, "created_at": BORN_TEXT, "lifecycle": "active"} for name in ANTHROPIC
    ]
    page = {"data": data, "has_more": False, "first_id": ANTHROPIC[0], "last_id": ANTHROPIC[-1]}
    return json_answer(page, {"request-id": f"req_011C{token(20)}"})
