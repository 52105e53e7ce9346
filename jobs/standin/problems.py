"""Refusals: a status, a kind of error and its words, in the shape that the API uses."""

import json
from typing import Any

KIND_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Refused(Exception):
    """The API would refuse this request, with `status` and with the error object of `body`."""

    def __init__(
        self,
        status: int,
        message: str,
        error_code: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_code = error_code
        self.headers = headers

    def body(self, request_id: str) -> dict[str, Any]:
        """The error object of a reply, and of a line in a message batch's results."""
        error: dict[str, Any] = {
            "type": KIND_OF_STATUS.get(self.status, "api_error"),
            "message": self.message,
        }
        if self.error_code:
            error["details"] = {"error_code": self.error_code}
        return {"type": "error", "error": error, "request_id": request_id}

    def encoded(self, request_id: str) -> bytes:
        return json.dumps(self.body(request_id)).encode()


def invalid(message: str) -> Refused:
    """A 400: the request itself is wrong."""
    return Refused(400, message)


TOO_LARGE_PAGE = (
    b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n"
    b"<center><h1>413 Request Entity Too Large</h1></center>\r\n</body>\r\n</html>\r\n"
)
"""The reply to a body over the limit. It comes from the API's edge proxy, so it is no JSON."""
