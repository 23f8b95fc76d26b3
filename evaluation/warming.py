"""The clients of the enabled models made before anybody waits for them. A vendor's SDK costs seconds to load, once per process."""

import logging

from django.db import DatabaseError, connection

from core.errors import LensError
from evaluation.clients import client_for
from evaluation.selectors import enabled_models, registered

logger = logging.getLogger(__name__)


def warm() -> list[str]:
    """The names of the models whose clients are ready. Never raises: what is not ready now is made by the first question."""
    try:
        names = enabled_models()
    except DatabaseError as error:
        logger.warning("the registry cannot be read yet; clients are made when first needed", extra={"error": str(error)})
        return []
    finally:
        connection.close()
    return [name for name in names if _ready(name)]


def _ready(name: str) -> bool:
    model = registered(name)
    if model is None:
        return False
    try:
        client_for(model.vendor, model.endpoint).prepare()
    except LensError as error:
        logger.warning("a model cannot be asked as it is registered", extra={"model": name, "error": str(error)})
        return False
    return True
