"""Reads requests and answers them, one after the other, until the input ends."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from typing import Any

from conformance.python.channels import Channels
from conformance.python.core import OPERATIONS
from conformance.python.device import Device
from p4.errors import CallError, CallFailed, P4Error


async def _answer(device: Device, channels: Channels, request: dict[str, Any]) -> dict[str, object]:
    operation, given = request["operation"], request["arguments"]
    try:
        if operation in OPERATIONS:
            return {"result": OPERATIONS[operation](given)}
        for operations in (device.operations, channels.operations):
            if operation in operations:
                return {"result": await operations[operation](given)}
    except P4Error as error:
        return {"error": _error(error)}
    except Exception as error:  # noqa: BLE001 - whatever the SDK throws is what the runner wants to see
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"}
    return {"unsupported": f"Python's command knows no {operation}"}


def _error(error: P4Error) -> dict[str, object]:
    entry: dict[str, object] = {"code": error.code, "message": error.message, "type": type(error).__name__}
    if isinstance(error, CallError):
        entry["may_have_run"] = error.may_have_run
    if isinstance(error, CallFailed):
        entry["service_data"] = error.data
    return entry


async def _main() -> None:
    device = Device()
    channels = Channels(device)
    try:
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            request = json.loads(line)
            answer = {"id": request["id"], **await _answer(device, channels, request)}
            sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
            sys.stdout.buffer.flush()
    finally:
        await channels.close()
        await device.close()


if __name__ == "__main__":
    asyncio.run(_main())
