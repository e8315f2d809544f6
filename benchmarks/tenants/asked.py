"""The requests that are compared."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    name: str
    path: str
    by_key: bool = False

    def request(self, session: str, key: str) -> bytes:
        who = f"Authorization: Bearer {key}" if self.by_key else f"Cookie: sessionid={session}"
        return (
            f"GET {self.path} HTTP/1.1\r\nHost: bench0000.localhost\r\n{who}\r\nAccept: */*\r\n"
            "Connection: keep-alive\r\n\r\n"
        ).encode()


ASKED = (
    Asked("customer list of the console", "/console/customers/"),
    Asked("customer list of the API", "/api/v1/customers?limit=30", by_key=True),
    Asked("tags of the API, 3 statements", "/api/v1/tags", by_key=True),
)
