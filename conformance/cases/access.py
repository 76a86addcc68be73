"""Tokens of apps, and errors of the way to the daemon."""

from __future__ import annotations

from pathlib import Path

from conformance.cases.local import Pair, case
from conformance.cases.messages import send, take
from conformance.expectations import equal, refused, true

PATIENCE = 20


@case("tokens")
async def tokens(pair: Pair) -> None:
    """An app does what its token names, over TCP, and nothing else; and nothing when it is revoked."""
    phone = pair.phone
    limits = {"services": [pair.service], "contacts": None, "expires_in_seconds": 600}
    made = await phone.ask("token.new", app="notes", **limits)
    true(made["id"] in (await phone.ask("token.list"))["ids"], "the token is not in the list")
    url = f"http://127.0.0.1:{phone.device.endpoint['port']}"
    await phone.ask("connect", client="app", url=url, token=made["token"])
    await send(pair.laptop, pair.service, value="for the app")
    await phone.ask("messages.open", client="app", messages="m", service=pair.service)
    equal((await take(phone))["value"], "for the app", "what the app reads")
    await phone.ask("messages.close", messages="m")
    await phone.ask(
        "message.send", client="app", contact="laptop", service=pair.service, receipt="r", value=1
    )
    await phone.ask("receipt.delivered", receipt="r", timeout_seconds=PATIENCE)
    await refused(phone.ask("token.list", client="app"), "owner-only")
    await refused(phone.ask("contact.rename", client="app", contact="laptop", name="x"), "owner-only")
    other = {"client": "app", "contact": "laptop", "service": "other"}
    await refused(phone.ask("message.send", **other, receipt="r", value=1), "not-granted")
    await refused(phone.ask("contact.call", **other, value=1, deadline_seconds=PATIENCE), "not-granted")
    await refused(phone.ask("stream.open", **other, stream="t", name=""), "not-granted")
    await refused(phone.ask("serving.open", client="app", serving="t", service="other"), "not-granted")
    await phone.ask("token.revoke", token_id=made["id"])
    await refused(phone.ask("identity", client="app"), "bad-token")
    await refused(phone.ask("token.revoke", token_id=made["id"]), "unknown")
    await phone.ask("disconnect", client="app")


@case("errors of the way")
async def way(pair: Pair) -> None:
    """No daemon, a wrong token, and names that cannot be any."""
    nowhere = str(Path(pair.devices.directory) / "nowhere")
    await refused(pair.laptop.ask("connect", client="n", state_dir=nowhere), "no-daemon")
    url = f"http://127.0.0.1:{pair.laptop.device.endpoint['port']}"
    await refused(pair.laptop.ask("connect", client="n", url=url, token="a" * 43), "bad-token")
    for name in ("", "a/b", ".."):
        await refused(pair.laptop.ask("contact.status", contact=name), "bad-name")
    await refused(pair.laptop.ask("request", method="GET", path="/v1/nothing"), "no-such-route")
