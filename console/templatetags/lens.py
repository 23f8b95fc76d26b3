"""What the pages' templates need beyond Django's own tags. Nothing here marks stored text as safe."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.vendored import vendored_files

register = template.Library()


@register.simple_tag
def vendored_script(name: str) -> SafeString:
    """A deferred script of the vendor folder, checked by the browser against the manifest."""
    file = vendored_files()[name]
    return format_html('<script src="{}" integrity="{}" defer></script>', static(file.path), file.integrity)


@register.simple_tag
def vendored_style(name: str) -> SafeString:
    """A style sheet of the vendor folder, checked likewise."""
    file = vendored_files()[name]
    return format_html('<link rel="stylesheet" href="{}" integrity="{}">', static(file.path), file.integrity)


@register.filter
def clock(value: str | datetime | None) -> str:
    """`09:00:04.510` of an RFC 3339 instant in UTC, or a dash."""
    text = value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
    return text[11:23] if text else "–"


@register.filter
def pretty(value: Any) -> str:
    """JSON for people: sorted, indented; text that is JSON is read first. Escaped by the template like any text."""
    if isinstance(value, str):
        value = json.loads(value)
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)


@register.filter
def duration(value: object) -> str:
    """Milliseconds as `840 ms`, `12.4 s`, `3 min`, `5 h`; a dash for what is no number."""
    if not isinstance(value, int | float):
        return "–"
    if value < 1_000:
        return f"{value:.0f} ms"
    seconds = value / 1_000
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


@register.filter
def share(value: object) -> str:
    """0.934 as `93 %`; a dash for what is no number."""
    return f"{value * 100:.0f} %" if isinstance(value, int | float) else "–"


@register.filter
def two(value: object) -> str:
    """A probability as `0.62`; a dash for what is no number."""
    return f"{value:.2f}" if isinstance(value, int | float) else "–"


@register.simple_tag
def querystring_of(**parameters: Any) -> str:
    """Parameters of an address, encoded; the template escapes the rest."""
    return urlencode(parameters)


@register.filter
def first_word(value: str) -> str:
    """`silent` of `silent: worker-core`."""
    return value.partition(":")[0]
