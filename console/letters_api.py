"""Deciding about dead letters over REST. Reading them is in `console/api.py`."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from access.models import Scope
from access.shapes import StrictSerializer, TextField
from access.views import WatchedView, caller_of
from audit.models import DeadLetter
from console import items, letter_shapes, letters, lists
from console.queries import LettersFilter
from core.clock import iso
from core.problem import Problem
from signals.api import ZonedField

LONGEST_NOTE = 1_000
# Lines and tabs are welcome in a note; other control characters are not.
_NOTE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\S[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"


def note_field(**options: Any) -> TextField:
    """A person's reason."""
    return TextField(_NOTE, max_length=LONGEST_NOTE, help_text="Why; kept with who and when.", **options)


class RetryBody(StrictSerializer):
    """The body of a retry; may be left out."""

    note = note_field(required=False, default="")


class ResolveBody(StrictSerializer):
    """The body of `POST /dlq/{id}/resolve`."""

    resolution_note = note_field()


class DiscardBody(StrictSerializer):
    """The body of `POST /dlq/{id}/discard`."""

    note = note_field()


class RetryManyBody(RetryBody):
    """A frozen selection: what matches the filter and was there at `as_of`."""

    filter = LettersFilter(help_text="As for `GET /dlq`; at least one of them.")
    as_of = ZonedField(required=False, help_text="What came later is not selected; by default now.")
    dry_run = serializers.BooleanField(default=False, help_text="Only count, by stage and reason.")


class LetterDoor(WatchedView):
    """For keys that may decide about dead letters."""

    required_scope = Scope.DLQ_WRITE
    described_problems = (409, 429)


class RetryView(LetterDoor):
    """`POST /api/v1/dlq/{id}/retry`."""

    @extend_schema(summary="Retry one dead letter", request=RetryBody, responses={202: letter_shapes.Requeued})
    def post(self, request: Request, letter_id: UUID) -> Response:
        """202: the signal goes on from where it stood. 409 unless the letter is open and its signal still dead."""
        asked = checked(RetryBody(data=request.data))
        letter = _visible(request, letter_id)
        if not any(letters.requeue([letter.pk], caller_of(request).name, asked["note"])):
            raise Problem("conflict", "The letter is not open, or its signal is not dead any more.")
        letter.refresh_from_db()
        return Response({"id": str(letter.pk), "status": letter.status, "retry_count": letter.retry_count}, status=202)


class ResolveView(LetterDoor):
    """`POST /api/v1/dlq/{id}/resolve`."""

    @extend_schema(summary="Resolve a dead letter", request=ResolveBody, responses=letter_shapes.WholeLetter)
    def post(self, request: Request, letter_id: UUID) -> Response:
        """It was seen to by other means. A signal that is still dead ends `failed`. 409 when the letter is closed already."""
        note = checked(ResolveBody(data=request.data))["resolution_note"]
        return _settled(request, letter_id, DeadLetter.Status.RESOLVED, note)


class DiscardView(LetterDoor):
    """`POST /api/v1/dlq/{id}/discard`."""

    @extend_schema(summary="Discard a dead letter", request=DiscardBody, responses=letter_shapes.WholeLetter)
    def post(self, request: Request, letter_id: UUID) -> Response:
        """Nothing will come of it. A signal that is still dead ends `failed`. 409 when the letter is closed already."""
        note = checked(DiscardBody(data=request.data))["note"]
        return _settled(request, letter_id, DeadLetter.Status.DISCARDED, note)


class RetryManyView(LetterDoor):
    """`POST /api/v1/dlq/retry`."""

    @extend_schema(
        summary="Retry a frozen selection",
        request=RetryManyBody,
        responses={200: letter_shapes.LettersRequeued, 202: letter_shapes.LettersRequeued},
    )
    def post(self, request: Request) -> Response:
        """Everything open that matches and was there at `as_of`, oldest first, at most 1000 in one call; 200 on a dry run."""
        asked = checked(RetryManyBody(data=request.data))
        try:
            selection = letters.matching(asked["filter"], asked.get("as_of"), caller_of(request))
        except letters.UnfilteredError as error:
            raise serializers.ValidationError({"filter": ["Name at least one filter."]}, "required") from error
        counts = letters.preview(selection)
        selected = sum(kind["count"] for kind in counts)
        ids = [] if asked["dry_run"] else selection.oldest()
        done = list(letters.requeue(ids, caller_of(request).name, asked["note"]))
        body = {
            "dry_run": asked["dry_run"],
            "as_of": iso(selection.as_of),
            "selected": selected,
            "counts": counts,
            "requeued": sum(done),
            "skipped": len(done) - sum(done),
            "remaining": 0 if asked["dry_run"] else max(selected - len(ids), 0),
        }
        return Response(body, status=200 if asked["dry_run"] else 202)


def _settled(request: Request, letter_id: UUID, to: DeadLetter.Status, note: str) -> Response:
    letter = _visible(request, letter_id)
    if not letters.settle(letter.pk, to, caller_of(request).name, note):
        raise Problem("conflict", "The letter is closed already.")
    letter.refresh_from_db()
    return Response(items.letter(letter, whole=True))


def _visible(request: Request, letter_id: UUID) -> DeadLetter:
    """The letter, if it is this caller's business; otherwise 404, so that nobody learns of others' ids."""
    letter = lists.buried(caller_of(request), {}).filter(pk=letter_id).first()
    if letter is None:
        raise Problem("not_found", "No such dead letter.")
    return letter


def checked(body: StrictSerializer) -> dict[str, Any]:
    """The body's values. Raises ValidationError naming every field that is wrong."""
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)
