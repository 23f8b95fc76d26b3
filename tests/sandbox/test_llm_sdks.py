"""The vendors' own SDKs are content with the simulator: structured answers, refusals, errors, streams, model lists."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from google import genai
from google.genai import errors as google_errors
from google.genai import types

from tests.sandbox.llm_rig import RECORDINGS, Answer, prompt, running

SYSTEM = "You judge trading signals. " * 250
TOKENS = 4096


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture
def control(address: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{address}/_control") as client:
        yield client
        for name in ("answers", "errors", "faults", "latency", "calls"):
            client.delete(f"/{name}").raise_for_status()


@pytest.fixture(scope="module")
def gpt(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-test", base_url=f"{address}/v1", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def claude(address: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="sk-ant-test", base_url=address, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module", params=["v1", "v1beta"])
def gemini(address: str, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    with genai.Client(api_key="g-test", http_options=types.HttpOptions(base_url=address, api_version=request.param)) as client:
        yield client


def gpt_messages(text: str) -> list[Any]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


def json_config(**more: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(system_instruction=SYSTEM, response_mime_type="application/json", **more)


def about_the_payload(answer: Answer | None) -> Answer:
    """The answer, which must have been about the prompt's payload and not about nothing."""
    assert answer is not None
    assert answer.reasons != ["no_payload"]
    return answer


# ------------------------------------------------------------------------------------------------ answers


def test_openai_chat_parses_a_strict_answer(gpt: openai.OpenAI) -> None:
    raw = gpt.chat.completions.with_raw_response.parse(model="gpt-x", messages=gpt_messages(prompt()), response_format=Answer)
    completion = raw.parse()
    assert raw.headers["x-request-id"].startswith("req_")
    assert completion.id.startswith("chatcmpl-")
    assert (completion.model, completion.choices[0].finish_reason) == ("gpt-x", "stop")
    assert completion.system_fingerprint
    about_the_payload(completion.choices[0].message.parsed)
    usage = completion.usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert 0 < (usage.prompt_tokens_details.cached_tokens or 0) < usage.prompt_tokens
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@pytest.mark.parametrize("response_format", [{"type": "json_object"}, {"type": "text"}])
def test_openai_chat_answers_in_json_without_a_schema(gpt: openai.OpenAI, response_format: Any) -> None:
    completion = gpt.chat.completions.create(model="gpt-x", messages=gpt_messages(prompt()), response_format=response_format)
    about_the_payload(Answer.model_validate_json(completion.choices[0].message.content or ""))


def test_openai_chat_streams_the_same_answer(gpt: openai.OpenAI) -> None:
    whole = gpt.chat.completions.create(model="gpt-x", messages=gpt_messages(prompt())).choices[0].message.content
    with gpt.chat.completions.create(
        model="gpt-x", messages=gpt_messages(prompt()), stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks[:-1]]
    assert "".join(pieces) == whole
    assert len(pieces) > 3
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


def test_openai_responses_parses_a_strict_answer(gpt: openai.OpenAI) -> None:
    response = gpt.responses.parse(model="gpt-x", instructions=SYSTEM, input=prompt(), text_format=Answer)
    assert response.id.startswith("resp_")
    assert (response.status, response.model) == ("completed", "gpt-x")
    about_the_payload(response.output_parsed)
    assert response.usage is not None
    assert response.usage.input_tokens_details.cached_tokens > 0


@pytest.mark.parametrize("how", ["response_schema", "response_json_schema"])
def test_gemini_parses_a_structured_answer(gemini: genai.Client, how: str) -> None:
    schema = {"response_schema": Answer, "response_json_schema": Answer.model_json_schema()}[how]
    response = gemini.models.generate_content(model="gemini-x", contents=prompt(), config=json_config(**{how: schema}))
    about_the_payload(Answer.model_validate_json(response.text or ""))
    assert response.candidates is not None
    assert response.candidates[0].finish_reason == types.FinishReason.STOP
    assert response.model_version == "gemini-x"
    assert response.usage_metadata is not None
    assert (response.usage_metadata.cached_content_token_count or 0) > 0


def test_anthropic_parses_a_structured_answer(claude: anthropic.Anthropic) -> None:
    message = claude.messages.parse(
        model="claude-x", max_tokens=TOKENS, system=SYSTEM, messages=[{"role": "user", "content": prompt()}], output_format=Answer
    )
    assert message.id.startswith("msg_")
    assert message._request_id is not None
    assert message._request_id.startswith("req_")
    assert (message.model, message.stop_reason) == ("claude-x", "end_turn")
    about_the_payload(message.parsed_output)
    assert (message.usage.cache_read_input_tokens or 0) > 0


def test_the_same_prompt_gets_the_same_opinion_through_every_wire(
    gpt: openai.OpenAI, claude: anthropic.Anthropic, gemini: genai.Client
) -> None:
    chat = gpt.chat.completions.parse(model="m", messages=gpt_messages(prompt()), response_format=Answer)
    response = gpt.responses.parse(model="m", input=prompt(), text_format=Answer)
    message = claude.messages.parse(
        model="m", max_tokens=TOKENS, messages=[{"role": "user", "content": prompt()}], output_format=Answer
    )
    content = gemini.models.generate_content(model="m", contents=prompt(), config=json_config(response_schema=Answer))
    answers: list[Any] = [chat.choices[0].message.parsed, response.output_parsed, message.parsed_output, content.parsed]
    assert all(answer == about_the_payload(answers[0]) for answer in answers)


def test_a_prompt_without_payload_is_ignored_legally(gpt: openai.OpenAI) -> None:
    completion = gpt.chat.completions.parse(model="m", messages=gpt_messages("What now?"), response_format=Answer)
    answer = completion.choices[0].message.parsed
    assert answer is not None
    assert (answer.decision, answer.reasons) == ("IGNORE", ["no_payload"])


def test_the_requests_own_token_limit_cuts_the_answer(
    gpt: openai.OpenAI, claude: anthropic.Anthropic, gemini: genai.Client
) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        gpt.chat.completions.parse(model="m", messages=gpt_messages(prompt()), response_format=Answer, max_completion_tokens=10)
    response = gpt.responses.create(model="m", input=prompt(), max_output_tokens=20)
    assert response.incomplete_details is not None
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    message = claude.messages.create(model="m", max_tokens=10, messages=[{"role": "user", "content": prompt()}])
    assert message.stop_reason == "max_tokens"
    content = gemini.models.generate_content(model="m", contents=prompt(), config=json_config(max_output_tokens=10))
    assert content.candidates is not None
    assert content.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def test_model_lists_are_read_by_each_sdk(gpt: openai.OpenAI, claude: anthropic.Anthropic, gemini: genai.Client) -> None:
    assert "gpt-4o" in {model.id for model in gpt.models.list()}
    assert "claude-sonnet-4-5" in {model.id for model in claude.models.list()}
    assert "models/gemini-2.5-flash" in {model.name for model in gemini.models.list()}


# ------------------------------------------------------------------------------------------------ answers gone wrong


def test_refusals_are_what_the_sdks_document(
    gpt: openai.OpenAI, claude: anthropic.Anthropic, gemini: genai.Client, control: httpx2.Client
) -> None:
    control.put("/answers", json=[{"kind": "refusal"}]).raise_for_status()
    message = gpt.chat.completions.parse(model="m", messages=gpt_messages(prompt()), response_format=Answer).choices[0].message
    assert message.parsed is None
    assert message.refusal
    output: Any = gpt.responses.parse(model="m", input=prompt(), text_format=Answer).output[0]
    assert output.content[0].type == "refusal"
    said = claude.messages.create(model="m", max_tokens=TOKENS, messages=[{"role": "user", "content": prompt()}])
    assert (said.stop_reason, said.content) == ("refusal", [])
    content = gemini.models.generate_content(model="m", contents=prompt())
    assert content.candidates is not None
    assert content.candidates[0].finish_reason == types.FinishReason.SAFETY
    assert content.text is None


def test_content_filters_are_what_the_sdks_document(
    gpt: openai.OpenAI, claude: anthropic.Anthropic, gemini: genai.Client, control: httpx2.Client
) -> None:
    control.put("/answers", json=[{"kind": "content_filter"}]).raise_for_status()
    with pytest.raises(openai.ContentFilterFinishReasonError):
        gpt.chat.completions.parse(model="m", messages=gpt_messages(prompt()), response_format=Answer)
    response = gpt.responses.create(model="m", input=prompt())
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "content_filter"
    with pytest.raises(anthropic.BadRequestError, match="content filtering policy"):
        claude.messages.create(model="m", max_tokens=TOKENS, messages=[{"role": "user", "content": prompt()}])
    content = gemini.models.generate_content(model="m", contents=prompt())
    assert content.candidates is None
    assert content.prompt_feedback is not None
    assert content.prompt_feedback.block_reason == types.BlockedReason.SAFETY


def test_scripted_length_cuts_the_text_and_says_so(
    gpt: openai.OpenAI, claude: anthropic.Anthropic, gemini: genai.Client, control: httpx2.Client
) -> None:
    control.put("/answers", json=[{"kind": "length"}]).raise_for_status()
    choice = gpt.chat.completions.create(model="m", messages=gpt_messages(prompt())).choices[0]
    assert choice.finish_reason == "length"
    said: Any = claude.messages.create(model="m", max_tokens=TOKENS, messages=[{"role": "user", "content": prompt()}])
    content = gemini.models.generate_content(model="m", contents=prompt())
    response = gpt.responses.create(model="m", input=prompt())
    texts = [choice.message.content, said.content[0].text, content.text, response.output_text]
    for text in texts:
        assert text == texts[0]
        with pytest.raises(json.JSONDecodeError):
            json.loads(text or "")


def test_empty_answers_are_empty_on_every_wire(
    gpt: openai.OpenAI, claude: anthropic.Anthropic, gemini: genai.Client, control: httpx2.Client
) -> None:
    control.put("/answers", json=[{"kind": "empty"}]).raise_for_status()
    assert gpt.chat.completions.create(model="m", messages=gpt_messages(prompt())).choices[0].message.content == ""
    assert gpt.responses.create(model="m", input=prompt()).output_text == ""
    assert claude.messages.create(model="m", max_tokens=TOKENS, messages=[{"role": "user", "content": prompt()}]).content == []
    assert gemini.models.generate_content(model="m", contents=prompt()).text is None


def test_a_streamed_refusal_arrives_in_its_own_field(gpt: openai.OpenAI, control: httpx2.Client) -> None:
    control.put("/answers", json=[{"kind": "refusal", "text": "I would rather not say."}]).raise_for_status()
    with gpt.chat.completions.create(model="m", messages=gpt_messages(prompt()), stream=True) as stream:
        deltas = [chunk.choices[0].delta for chunk in stream]
    assert "".join(delta.refusal or "" for delta in deltas) == "I would rather not say."
    assert not any(delta.content for delta in deltas)


# ------------------------------------------------------------------------------------------------ errors

OPENAI_ERRORS = {
    "rate_limit": (openai.RateLimitError, 429, "rate_limit_exceeded"),
    "insufficient_quota": (openai.RateLimitError, 429, "insufficient_quota"),
    "overloaded": (openai.InternalServerError, 503, None),
    "auth": (openai.AuthenticationError, 401, "invalid_api_key"),
    "not_found": (openai.NotFoundError, 404, "model_not_found"),
    "bad_request": (openai.BadRequestError, 400, None),
    "server_error": (openai.InternalServerError, 500, None),
}
ANTHROPIC_ERRORS = {
    "rate_limit": (anthropic.RateLimitError, 429, "rate_limit_error"),
    "insufficient_quota": (anthropic.BadRequestError, 400, "invalid_request_error"),
    "overloaded": (anthropic.APIStatusError, 529, "overloaded_error"),
    "auth": (anthropic.AuthenticationError, 401, "authentication_error"),
    "not_found": (anthropic.NotFoundError, 404, "not_found_error"),
    "bad_request": (anthropic.BadRequestError, 400, "invalid_request_error"),
    "server_error": (anthropic.InternalServerError, 500, "api_error"),
}
GEMINI_ERRORS = {
    "rate_limit": (google_errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    "insufficient_quota": (google_errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    "overloaded": (google_errors.ServerError, 503, "UNAVAILABLE"),
    "auth": (google_errors.ClientError, 400, "INVALID_ARGUMENT"),
    "not_found": (google_errors.ClientError, 404, "NOT_FOUND"),
    "bad_request": (google_errors.ClientError, 400, "INVALID_ARGUMENT"),
    "server_error": (google_errors.ServerError, 500, "INTERNAL"),
}


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
@pytest.mark.parametrize("preset", list(OPENAI_ERRORS))
def test_openai_error_presets(gpt: openai.OpenAI, control: httpx2.Client, preset: str, endpoint: str) -> None:
    control.put("/errors", json=[{"preset": preset, "retry_after": "2"}]).raise_for_status()
    kind, status, code = OPENAI_ERRORS[preset]
    ask: dict[str, Callable[[], object]] = {
        "chat": lambda: gpt.chat.completions.create(model="m", messages=gpt_messages(prompt())),
        "responses": lambda: gpt.responses.create(model="m", input=prompt()),
    }
    with pytest.raises(kind) as caught:
        ask[endpoint]()
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.response.headers["retry-after"] == "2"
    assert caught.value.request_id


@pytest.mark.parametrize("preset", list(ANTHROPIC_ERRORS))
def test_anthropic_error_presets(claude: anthropic.Anthropic, control: httpx2.Client, preset: str) -> None:
    control.put("/errors", json=[{"preset": preset, "retry_after": "2"}]).raise_for_status()
    kind, status, name = ANTHROPIC_ERRORS[preset]
    with pytest.raises(kind) as caught:
        claude.messages.create(model="m", max_tokens=TOKENS, messages=[{"role": "user", "content": prompt()}])
    body: Any = caught.value.body
    assert (caught.value.status_code, body["error"]["type"]) == (status, name)
    assert caught.value.response.headers["retry-after"] == "2"
    assert caught.value.request_id == body["request_id"]


@pytest.mark.parametrize("preset", list(GEMINI_ERRORS))
def test_gemini_error_presets(gemini: genai.Client, control: httpx2.Client, preset: str) -> None:
    control.put("/errors", json=[{"preset": preset, "retry_after": "2"}]).raise_for_status()
    kind, status, name = GEMINI_ERRORS[preset]
    with pytest.raises(kind) as caught:
        gemini.models.generate_content(model="m", contents=prompt())
    assert (caught.value.code, caught.value.status) == (status, name)
    delays = [detail["retryDelay"] for detail in caught.value.details["error"].get("details", []) if "retryDelay" in detail]
    assert delays == (["2s"] if preset == "rate_limit" else [])


def test_bad_and_missing_keys_are_refused_as_the_vendor_does(address: str) -> None:
    with (
        openai.OpenAI(api_key="bad-key", base_url=f"{address}/v1", max_retries=0) as gpt,
        pytest.raises(openai.AuthenticationError, match="Incorrect API key") as caught,
    ):
        gpt.chat.completions.create(model="m", messages=gpt_messages("x"))
    assert "bad-key" not in str(caught.value)
    with (
        anthropic.Anthropic(api_key="bad-key", base_url=address, max_retries=0) as claude,
        pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"),
    ):
        claude.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}])
    with (
        genai.Client(api_key="bad-key", http_options=types.HttpOptions(base_url=address)) as gemini,
        pytest.raises(google_errors.ClientError, match="API key not valid"),
    ):
        gemini.models.generate_content(model="m", contents="x")
    answer = httpx2.post(f"{address}/v1/chat/completions", json={"model": "m", "messages": []})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    older = httpx2.post(
        f"{address}/v1/messages",
        headers={"x-api-key": "k", "anthropic-version": "2023-06-01"},
        json={"model": "m", "max_tokens": 900, "messages": [{"role": "user", "content": prompt()}]},
    )
    assert older.status_code == 200


OPEN_SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}, "required": []}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        pytest.param("/v1/chat/completions", {}, "model parameter", id="chat: no model"),
        pytest.param("/v1/chat/completions", {"model": "m"}, "messages", id="chat: no messages"),
        pytest.param(
            "/v1/chat/completions",
            {"model": "m", "messages": [{"role": "user", "content": "hi"}], "response_format": {"type": "json_object"}},
            "must contain the word 'json'",
            id="chat: JSON mode without the word",
        ),
        pytest.param(
            "/v1/chat/completions",
            {
                "model": "m",
                "messages": [{"role": "user", "content": "hi"}],
                "response_format": {"type": "json_schema", "json_schema": {"name": "A", "strict": True, "schema": OPEN_SCHEMA}},
            },
            "additionalProperties",
            id="chat: open schema in strict mode",
        ),
        pytest.param("/v1/responses", {"model": "m"}, "'input'", id="responses: no input"),
        pytest.param("/v1/responses", {"model": "m", "input": "x", "stream": True}, "Streaming", id="responses: stream"),
        pytest.param("/v1/messages", {"model": "m", "messages": [{}]}, "max_tokens: Field required", id="messages: no limit"),
        pytest.param(
            "/v1/messages",
            {"model": "m", "max_tokens": 9, "messages": [{}], "output_config": {"format": {"schema": OPEN_SCHEMA}}},
            "additionalProperties",
            id="messages: open schema",
        ),
        pytest.param("/v1/models/m:generateContent", {}, "contents is not specified", id="gemini: no contents"),
        pytest.param(
            "/v1/models/m:generateContent",
            {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"responseSchema": {"type": "OBJECT"}}},
            "application/json",
            id="gemini: schema without the mime type",
        ),
        pytest.param("/v1/chat/completions", [], "could not parse", id="a list"),
    ],
)
def test_requests_that_the_vendor_would_refuse_are_refused(address: str, path: str, body: object, words: str) -> None:
    headers = {"Authorization": "Bearer k", "x-goog-api-key": "k", "anthropic-version": "2023-06-01"}
    answer = httpx2.post(address + path, json=body, headers=headers)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


# ------------------------------------------------------------------------------------------------ recordings


def keys(value: Any, path: str = "") -> set[str]:
    """Every key's path, lists by their first member."""
    match value:
        case dict():
            return {f"{path}.{name}" for name in value} | {
                deep for name, part in value.items() for deep in keys(part, f"{path}.{name}")
            }
        case [first, *_]:
            return keys(first, f"{path}[]")
    return set()


def recorded(name: str) -> Any:
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"no recording {name} beside the clone")
    whole = json.loads(path.read_text())
    return json.loads(whole["response"]["body"]) if "response" in whole else whole


@pytest.mark.parametrize("name", ["openai_structured_output_ok", "openai_response_format_json", "openai_chat_stop"])
def test_openai_answers_have_the_recorded_keys(gpt: openai.OpenAI, name: str) -> None:
    real = recorded(f"recorded/{name}.json")
    ours = gpt.chat.completions.with_raw_response.create(model="m", messages=gpt_messages(prompt()))
    assert keys(real) <= keys(json.loads(ours.text))


@pytest.mark.parametrize(
    ("name", "kind", "left_out"),
    [
        ("gemini_firebase/googleai__unary-success-basic-reply-short.json", None, {".candidates[].avgLogprobs"}),
        ("gemini_firebase/vertexai__unary-success-implicit-caching.json", None, {".usageMetadata.thoughtsTokenCount"}),
        ("gemini_firebase/vertexai__unary-failure-prompt-blocked-safety.json", "content_filter", set()),
        ("recorded/gemini_generate_ok.json", None, {".usageMetadata.thoughtsTokenCount"}),
    ],
)
def test_gemini_answers_have_the_recorded_keys(
    address: str, control: httpx2.Client, name: str, kind: str | None, left_out: set[str]
) -> None:
    real = recorded(name)
    if kind is not None:
        control.put("/answers", json=[{"kind": kind}]).raise_for_status()
    body = {"contents": [{"parts": [{"text": prompt()}]}], "systemInstruction": {"parts": [{"text": SYSTEM}]}}
    ours = httpx2.post(f"{address}/v1beta/models/m:generateContent", json=body, headers={"x-goog-api-key": "k"})
    assert keys(real) - left_out <= keys(ours.json())


@pytest.mark.parametrize(
    ("name", "preset", "left_out"),
    [
        ("googleai__unary-failure-api-key.json", "auth", set()),
        (
            "googleai__unary-failure-unknown-model.json",
            "not_found",
            {".error.details", ".error.details[].@type", ".error.details[].detail"},
        ),
    ],
)
def test_gemini_errors_have_the_recorded_keys(
    address: str, control: httpx2.Client, name: str, preset: str, left_out: set[str]
) -> None:
    real = recorded(f"gemini_firebase/{name}")
    control.put("/errors", json=[{"preset": preset}]).raise_for_status()
    ours = httpx2.post(
        f"{address}/v1/models/m:generateContent", json={"contents": [{"parts": []}]}, headers={"x-goog-api-key": "k"}
    )
    assert keys(real) - left_out <= keys(ours.json())
    assert (ours.json()["error"]["code"], ours.json()["error"]["status"]) == (real["error"]["code"], real["error"]["status"])


def test_errors_have_the_keys_that_users_reported(address: str, control: httpx2.Client) -> None:
    path = RECORDINGS / "reported_errors.jsonl"
    if not path.exists():
        pytest.skip("no reported errors beside the clone")
    ways = {
        "openai": ("/v1/chat/completions", {"Authorization": "Bearer k"}, {"model": "m", "messages": [{}]}),
        "anthropic": (
            "/v1/messages",
            {"x-api-key": "k", "anthropic-version": "2023-06-01"},
            {"model": "m", "max_tokens": 9, "messages": [{}]},
        ),
        "gemini": ("/v1beta/models/m:generateContent", {"x-goog-api-key": "k"}, {"contents": [{}]}),
    }
    presets = {429: "rate_limit", 500: "server_error", 529: "overloaded"}
    compared = 0
    for report in map(json.loads, path.read_text().splitlines()):
        if report["provider"] not in ways or report["status"] not in presets:
            continue
        control.put("/errors", json=[{"preset": presets[report["status"]]}]).raise_for_status()
        where, headers, body = ways[report["provider"]]
        ours = httpx2.post(address + where, headers=headers, json=body)
        assert ours.status_code == report["status"]
        assert set(report["body"]["error"]) <= set(ours.json()["error"])
        compared += 1
    assert compared >= 8
