"""Requests that follow the API's description, and that break it, against a real daemon (schemathesis).

No answer may be one of 500, and each must have the form that the description promises.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from tests.daemon.conftest import direct_options

import p4
from p4.daemon.openapi import document
from p4.daemon.server import Daemon

load_all_checks()
SCHEMA = schemathesis.openapi.from_dict(json.loads(document()))
EXAMPLES = 8

LEFT_OUT = {
    "POST /v1/shutdown": "ends the daemon",
    "GET /v1/events": "does not end",
    "GET /v1/messages/{service}": "does not end",
    "GET /v1/doctor": "takes seconds",
    "POST /v1/contacts/{contact}/ping": "waits for a contact that is not there",
    "GET /v1/share/of/{contact}": "as well",
    "DELETE /v1/contacts/{contact}": "the contact is for the others",
    "POST /v1/transfers/fetch": "writes where it is told to",
    "PUT /v1/share": "opens the directory that it is told to",
}
OPERATIONS = sorted(
    label
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok)
    and (label := found.ok().label) not in LEFT_OUT
    and not label.endswith(("/backup", "/restore"))
)


@dataclass(frozen=True)
class Target:
    """A daemon in a thread of its own."""

    url: str
    session: requests.Session


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    directory = tmp_path_factory.mktemp("fuzzed") / "state"
    started, end = threading.Event(), threading.Event()
    found: list[Daemon] = []

    async def run() -> None:
        async with Daemon(p4.Node(directory, direct_options()), directory) as daemon:
            contact = p4.Identity(bytes(range(32)))
            nowhere = daemon.node.invite().rendezvous
            daemon.node.add_contact(p4.Invite(contact.public_key, nowhere), "phone")
            found.append(daemon)
            started.set()
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="fuzzed daemon")
    thread.start()
    try:
        assert started.wait(20)
        endpoint = found[0].endpoint
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {endpoint.owner_token}"
            yield Target(f"http://127.0.0.1:{endpoint.port}", session)
    finally:
        end.set()
        thread.join(10)


@pytest.mark.slow
@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_breaks_it(target: Target, label: str, tmp_path: Path) -> None:
    operation = SCHEMA.find_operation_by_label(label)
    assert operation is not None
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        if mode is GenerationMode.NEGATIVE and not (
            operation.body or operation.query or operation.path_parameters
        ):
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        def send(case: Any) -> None:
            _hurry(case)
            response = case.call(base_url=target.url, session=target.session, timeout=10)
            assert response.status_code != 500, response.text
            case.validate_response(response, checks=[content_type_conformance, response_schema_conformance])
            if response.status_code >= 400:
                assert response.json()["error"]["message"].endswith((".", ")")), response.text

        try:
            send()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, "every text is a name, so nothing breaks the description"


def _hurry(case: Any) -> None:
    """Mostly about the contact that there is; and no waiting for what will not come."""
    if (
        case.path_parameters
        and "contact" in case.path_parameters
        and len(case.path_parameters["contact"]) < 12
    ):
        case.path_parameters["contact"] = "phone"
    if isinstance(case.query, dict) and case.path.endswith("/next"):
        case.query["timeout"] = "0"
    if isinstance(case.body, dict) and "/calls/" in case.path:
        case.body["deadline"] = 0.05
