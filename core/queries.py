"""What an address may be asked for. A parameter nobody knows, or one given twice, is an error and not a wider answer."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers


class Query(serializers.Serializer[Any]):
    """Parameters of an address; declared ones only, each at most once."""

    def to_internal_value(self, data: Any) -> Any:
        strangers = {name: ["There is no such parameter."] for name in data if name not in self.fields}
        if strangers:
            raise serializers.ValidationError(strangers, "unknown_parameter")
        twice = {name: ["Given more than once."] for name in data if _times(data, name) > 1}
        if twice:
            raise serializers.ValidationError(twice, "repeated")
        return super().to_internal_value(dict(data.items()))


def _times(data: Mapping[str, Any], name: str) -> int:
    return len(data.getlist(name)) if isinstance(data, QueryDict) else 1
