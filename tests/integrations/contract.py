"""Answers held against the OpenAPI document: what it says is what callers get, no field more or less."""

import copy
import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from integrations.api import document

BASE = "/api/v1"


def operation_of(method: str, path: str) -> dict[str, Any]:
    for template, operations in document("scrm.urls_api_root")["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            found: dict[str, Any] = operations[method.lower()]
            return found
    raise AssertionError(f"{path} is not in the document")


def check(method: str, path: str, status: int, answer: Any) -> None:
    responses = operation_of(method, path)["responses"]
    assert str(status) in responses, f"{method} {path}: {status} is not in the document"
    schema = responses[str(status)]["content"]["application/json"]["schema"]
    errors = list(Draft202012Validator({**schema, "components": components()}).iter_errors(answer))
    assert not errors, f"{method} {path} {status}: {errors[0].json_path}: {errors[0].message}"


@cache
def components() -> dict[str, Any]:
    return exact(document("scrm.urls_api_root")["components"])


def exact(components: dict[str, Any]) -> dict[str, Any]:
    """No field that the document does not name, and none of those missing."""
    strict = copy.deepcopy(components)
    for schema in strict["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
            schema["required"] = list(schema["properties"])
    return strict
