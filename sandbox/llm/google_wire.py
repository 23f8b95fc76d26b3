"""Gemini: `POST /v1beta/models/{model}:generateContent`, under `/v1` too."""

from collections.abc import Mapping

from aiohttp import web

from sandbox.llm.wire import Ask, Body, Failure, Preset, Reply, child, json_answer, members, text_of, token, usage, whole_number

_HELP = {
    "@type": "type.googleapis.com/google.rpc.Help",
    "links": [{"description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/gemini-api/docs/rate-limits"}],
}
_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: "
    "https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: https://ai.dev/rate-limit. "
)
_BAD_KEY = "API key not valid. Please pass a valid API key."
_ERRORS: Mapping[Preset, tuple[int, str, str]] = {
    "rate_limit": (429, "RESOURCE_EXHAUSTED", _QUOTA),
    "insufficient_quota": (429, "RESOURCE_EXHAUSTED", _QUOTA),
    "overloaded": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "auth": (400, "INVALID_ARGUMENT", _BAD_KEY),
    "not_found": (
        404,
        "NOT_FOUND",
        "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the "
        "list of available models and their supported methods.",
    ),
    "bad_request": (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    "server_error": (
        500,
        "INTERNAL",
        "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
    ),
}
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}
_CATEGORIES = ("HATE_SPEECH", "DANGEROUS_CONTENT", "HARASSMENT", "SEXUALLY_EXPLICIT")


class GeminiGenerate:
    """The wire of `:generateContent`."""

    vendor = "google"
    endpoint = "generate"

    def key(self, request: web.Request) -> str | None:
        return request.headers.get("x-goog-api-key") or request.query.get("key") or None

    def read(self, request: web.Request, body: Body) -> Ask:
        config = child(body, "generationConfig")
        contents = [(str(turn.get("role", "user")), text_of(turn.get("parts"))) for turn in members(body.get("contents"))]
        return Ask(
            model=request.match_info["model"],
            system=text_of((child(body, "systemInstruction") or child(body, "system_instruction")).get("parts")),
            turns=tuple(("assistant" if role == "model" else role, text) for role, text in contents),
            schema=child(config, "responseSchema") or child(config, "responseJsonSchema") or None,
            limit=whole_number(config.get("maxOutputTokens")),
        )

    def objection(self, request: web.Request, body: Body) -> Failure | None:
        if not isinstance(body.get("contents"), list) or not body["contents"]:
            return Failure("bad_request", "* GenerateContentRequest.contents: contents is not specified\n")
        config = child(body, "generationConfig")
        schemas = [name for name in ("responseSchema", "responseJsonSchema") if config.get(name)]
        if len(schemas) == 2:
            return Failure("bad_request", "Only one of response_schema and response_json_schema can be set.")
        if schemas and config.get("responseMimeType") != "application/json":
            return Failure("bad_request", "Response schema is only supported with response mime type: 'application/json'.")
        return None

    def write(self, ask: Ask, reply: Reply) -> web.Response:
        counts = usage(ask, reply)
        metadata: Body = {
            "promptTokenCount": counts.prompt,
            "totalTokenCount": counts.prompt,
            "promptTokensDetails": _text(counts.prompt),
        }
        whole: Body = {"usageMetadata": metadata, "modelVersion": ask.model, "responseId": token(22)}
        if reply.finish == "content_filter":
            whole["promptFeedback"] = {"blockReason": "SAFETY", "safetyRatings": _ratings("HIGH")}
            return json_answer(whole, _headers())
        whole["candidates"] = [_candidate(reply)]
        if counts.cached:
            metadata |= {"cachedContentTokenCount": counts.cached, "cacheTokensDetails": _text(counts.cached)}
        if reply.finish != "refusal":
            metadata |= {
                "candidatesTokenCount": counts.answer,
                "totalTokenCount": counts.total,
                "candidatesTokensDetails": _text(counts.answer),
            }
        return json_answer(whole, _headers())

    def fail(self, model: str, failure: Failure) -> web.Response:
        status, name, words = _ERRORS[failure.preset]
        error: Body = {"code": status, "message": failure.message or words.format(model=model), "status": name}
        details = _details(model, failure)
        if details:
            error["details"] = details
        return json_answer({"error": error}, _headers(), status)


def _candidate(reply: Reply) -> Body:
    if reply.finish == "refusal":
        return {"finishReason": "SAFETY", "index": 0, "safetyRatings": _ratings("MEDIUM")}
    content: Body = {"parts": [{"text": reply.text}], "role": "model"} if reply.text else {}
    return {"content": content, "finishReason": _FINISH[reply.finish], "index": 0, "safetyRatings": _ratings("NEGLIGIBLE")}


def _ratings(worst: str) -> list[Body]:
    levels = {"HARASSMENT": worst}
    ratings: list[Body] = [
        {"category": f"HARM_CATEGORY_{name}", "probability": levels.get(name, "NEGLIGIBLE")} for name in _CATEGORIES
    ]
    if worst != "NEGLIGIBLE":
        ratings[2]["blocked"] = True
    return ratings


def _text(tokens: int) -> list[Body]:
    return [{"modality": "TEXT", "tokenCount": tokens}]


def _details(model: str, failure: Failure) -> list[Body]:
    match failure.preset:
        case "auth":
            domain = {"domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}}
            return [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", **domain},
                {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": _BAD_KEY},
            ]
        case "rate_limit":
            retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{failure.retry_after or '57.238747106'}s"}
            return [_violation(model, "Minute"), _HELP, retry]
        case "insufficient_quota":
            return [_violation(model, "Day"), _HELP]
    return []


def _violation(model: str, per: str) -> Body:
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": f"GenerateRequestsPer{per}PerProjectPerModel-FreeTier",
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": "15",
    }
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


def _headers() -> dict[str, str]:
    return {"server-timing": "gfet4t7; dur=12", "x-request-id": token(22)}
