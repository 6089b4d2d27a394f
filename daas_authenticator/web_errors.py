"""The one place where an error for a person becomes an answer of the hub.

Used by the handlers of this package; the hub's error page shows the sentence.
"""

from http.client import responses
from logging import Logger, LoggerAdapter
from typing import Any

from tornado.web import HTTPError

from daas_model.errors import DaasError


def web_error(error: DaasError, log: "Logger | LoggerAdapter[Any]") -> HTTPError:
    """Return the `HTTPError` that makes the hub show *error*; its detail goes to *log* only.

    Templates find the sentence in `message`, and the parts in `exception.daas_error`.
    """
    log.warning("%s: %s", error.code, error.detail or error.message)
    # Without a log message tornado writes no line of its own, which would carry the address
    # with the code and state in it.
    answer = HTTPError(error.status, reason=responses[error.status])
    answer.jupyterhub_message = str(error)  # type: ignore[attr-defined]
    answer.daas_error = error  # type: ignore[attr-defined]
    return answer
