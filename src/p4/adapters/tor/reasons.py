"""What Tor's events and log lines mean to a person. Pure.

Tor names its troubles in a log that nobody reads; here the ones that a person can act on become
sentences, and everything else is left to the log.
"""

from __future__ import annotations

import re

from p4.adapters.tor.control_wire import Arguments
from p4.errors import TorError

__all__ = ["bootstrap_trouble", "clock_trouble", "log_trouble", "startup_failure"]

_CLOCK_SKEW_SECONDS = 30 * 60
"""Tor works with smaller errors of the clock."""

_BOOTSTRAP_REASONS = {
    "NOROUTE": "there is no network connection",
    "CONNECTREFUSED": "the connection to it was refused; a firewall may block Tor",
    "TIMEOUT": "it did not answer; a firewall may swallow Tor's connections",
    "IOERROR": "the connection to it broke",
    "RESOURCELIMIT": "this machine is out of sockets or memory",
    "IDENTITY": "somebody else answered in its place, for example the login page of a public network",
    "PT_MISSING": "the pluggable transport for its bridge is not installed or not configured",
}
"""Values of REASON of a BOOTSTRAP warning (control-spec section 4.1.10)."""

_LOG_TROUBLES = {
    r"Could not launch managed proxy executable at '([^']*)'": (
        "The pluggable transport {0} cannot be started; it may not be installed. Tor cannot use the bridges "
        "that need it."
    ),
    r"can't find a pluggable transport proxy supporting '([^']*)'": (
        "A bridge needs the pluggable transport “{0}”, and no ClientTransportPlugin line offers it."
    ),
    r"Managed proxy (?:.* )?(?:failed|terminated|died)": (
        "The pluggable transport stopped working; Tor's log says why."
    ),
    r"No space left on device": ("The disk is full, so Tor cannot keep what it learns about the network."),
    r"Failing because we have (\d+) connections already": (
        "Tor has as many connections as this system allows ({0})."
    ),
}

_LOG_LINE = re.compile(r"\[(warn|err)\] (.*)")
_WORTHLESS = re.compile(r"Reading config failed|Tor is running as root|You are running Tor as root")


def bootstrap_trouble(event: Arguments) -> str | None:
    """The sentence for a ``WARN BOOTSTRAP`` event, or None while Tor itself advises to ignore it."""
    if event.named.get("RECOMMENDATION") != "warn":
        return None
    reason = _BOOTSTRAP_REASONS.get(event.named.get("REASON", ""), event.named.get("WARNING", "unknown"))
    what = event.named.get("HOSTADDR", "a Tor relay")
    return f"Tor cannot reach {what}: {reason}. It keeps trying."


def clock_trouble(event: Arguments) -> str | None:
    """The sentence for a ``CLOCK_SKEW`` event (SKEW in seconds, positive if our clock is fast)."""
    try:
        skew = int(event.named.get("SKEW", "0"))
    except ValueError:
        return None
    if abs(skew) < _CLOCK_SKEW_SECONDS:
        return None
    direction = "fast" if skew > 0 else "slow"
    return (
        f"This machine's clock is about {_duration(abs(skew))} {direction}, and Tor does not work with a "
        "wrong clock. Set the clock (and the time zone) right; P4 then goes on by itself."
    )


def log_trouble(message: str) -> str | None:
    """The sentence for a warning in Tor's log, or None if it is not one for a person."""
    for pattern, sentence in _LOG_TROUBLES.items():
        if found := re.search(pattern, message):
            return sentence.format(*found.groups())
    return None


def startup_failure(log: str, exit_code: int) -> TorError:
    """The error for a Tor that ended before it listened, with Tor's own reason."""
    messages = [found[2].strip() for line in log.splitlines() if (found := _LOG_LINE.search(line))]
    messages = [message for message in messages if not _WORTHLESS.search(message)]
    reason = (
        " ".join(messages[-2:]) or log.strip()[-300:] or f"it ended with code {exit_code} and said nothing"
    )
    if occupied := re.search(r"Could not bind to (\S+): (.*?)\.? Is Tor already running", log):
        return TorError(
            f"Tor cannot listen on {occupied[1]}: {occupied[2]}. Choose another port "
            "(--onionrelay-socks-port, --onionrelay-control-port), or leave them out: P4 needs none.",
            code="port-in-use",
        )
    configuration = next((text for text in messages if "parse/validate config" in text), None)
    if configuration is not None:
        _, _, said = configuration.partition("config:")
        said = said.strip().removesuffix("Failing.").strip() or configuration
        return TorError(
            f"Tor refuses its configuration: {said} Correct the extra torrc lines given to P4.",
            code="bad-torrc",
        )
    return TorError(f"Tor did not start: {reason}", code="tor-exited")


def _duration(seconds: int) -> str:
    if seconds < 2 * 3600:
        return f"{seconds // 60} minutes"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} hours"
    return f"{seconds // 86400} days"
