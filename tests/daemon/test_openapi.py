"""The description of the API in spec/ is that of the code."""

from __future__ import annotations

import json

from p4.daemon.openapi import DOCUMENT, document


def test_the_checked_in_document_is_that_of_the_code() -> None:
    assert DOCUMENT.read_text("utf-8") == document(), "python -m p4.daemon.openapi writes it anew"


def test_every_operation_is_described_and_has_the_form_of_errors() -> None:
    paths = json.loads(document())["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert operation.get("description"), (method, path)
            schema = operation["responses"]["default"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}, (method, path)
