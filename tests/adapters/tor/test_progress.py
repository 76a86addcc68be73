"""Tor's events, given as bytes, become one status with sentences for a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.adapters.tor.control_wire import Reply, ReplyLine, ReplyParser
from p4.adapters.tor.progress import Progress
from p4.adapters.tor.reasons import startup_failure
from p4.core.address import RendezvousAddress, Transport
from p4.ports import RendezvousPhase, RendezvousStatus

SERVICE_ID = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd"
ADDRESS = RendezvousAddress(Transport.ONION, f"{SERVICE_ID}.onion", 80)


def after(*lines: str) -> RendezvousStatus:
    progress = Progress([ADDRESS])
    for line in lines:
        for event in ReplyParser().feed(f"650 {line}\r\n".encode()):
            progress.handle(event)
    return progress.status()


DONE = 'STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"'


def test_nothing_yet() -> None:
    status = after()
    assert (status.phase, status.progress, status.address) == (RendezvousPhase.STARTING, 0, ADDRESS)


def test_tors_own_summary_is_shown() -> None:
    status = after('STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=50 TAG=x SUMMARY="Loading relay descriptors"')
    assert status.phase is RendezvousPhase.STARTING
    assert "Loading relay descriptors (50 %)" in status.text
    assert 0 < status.progress < 90


def test_bootstrapped_is_not_yet_reachable() -> None:
    assert after(DONE).phase is RendezvousPhase.PUBLISHING


def test_the_first_upload_of_our_own_address_makes_it_ready() -> None:
    upload = f"HS_DESC UPLOADED {SERVICE_ID} UNKNOWN $AAAA"
    other = f"HS_DESC UPLOADED {'b' * 56} UNKNOWN $AAAA"
    asked = f"HS_DESC UPLOAD {SERVICE_ID} UNKNOWN $AAAA desc"
    assert after(DONE, other, asked).phase is RendezvousPhase.PUBLISHING
    status = after(DONE, upload)
    assert (status.phase, status.progress) == (RendezvousPhase.READY, 100)
    assert ADDRESS.host in status.text


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("NOROUTE", "no network"),
        ("CONNECTREFUSED", "firewall"),
        ("TIMEOUT", "firewall"),
        ("PT_MISSING", "pluggable transport"),
        ("SOMETHING_NEW", "Odd thing"),
    ],
)
def test_why_it_does_not_get_on(reason: str, sentence: str) -> None:
    warning = (
        'STATUS_CLIENT WARN BOOTSTRAP PROGRESS=10 TAG=conn SUMMARY="Connecting" WARNING="Odd thing" '
        f'REASON={reason} COUNT=5 RECOMMENDATION=warn HOSTID="A" HOSTADDR="192.0.2.1:443"'
    )
    text = after(warning).text
    assert sentence in text
    assert "192.0.2.1:443" in text
    assert sentence not in after(warning.replace("RECOMMENDATION=warn", "RECOMMENDATION=ignore")).text
    further = 'STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=15 TAG=x SUMMARY="Connected"'
    assert sentence not in after(warning, further).text


@pytest.mark.parametrize(
    ("skew", "sentence"),
    [(7200, "2 hours fast"), (-2_000, "33 minutes slow"), (-864_000, "10 days slow"), (60, ""), ("x", "")],
)
def test_a_wrong_clock(skew: object, sentence: str) -> None:
    text = after(f"STATUS_GENERAL WARN CLOCK_SKEW SKEW={skew} SOURCE=DIRSERV:192.0.2.1:80").text
    assert (sentence in text) if sentence else ("clock" not in text)


def test_a_missing_pluggable_transport_in_the_log() -> None:
    text = after(
        "WARN Could not launch managed proxy executable at '/usr/bin/obfs4proxy' ('No such file')."
    ).text
    assert "/usr/bin/obfs4proxy" in text
    text = after(
        "WARN We were supposed to connect to bridge '192.0.2.1:443' using pluggable transport 'obfs4', "
        "but we can't find a pluggable transport proxy supporting 'obfs4'."
    ).text
    assert "“obfs4”" in text


@pytest.mark.parametrize(
    "line",
    [
        "STATUS_CLIENT",
        "STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=many",
        "STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=99999999999999999999",
        "STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=\N{SUPERSCRIPT TWO}",
        "HS_DESC",
        "HS_DESC UPLOADED",
        "WARN",
        "NEW_KIND_OF_EVENT a=b",
    ],
)
def test_events_that_make_no_sense_change_nothing_important(line: str) -> None:
    status = after(line)
    assert status.phase is RendezvousPhase.STARTING
    assert status.progress == 0


@given(st.lists(st.text(max_size=80), max_size=8))
def test_no_event_breaks_it(texts: list[str]) -> None:
    progress = Progress([ADDRESS])
    for text in texts:
        for kind in ("", "STATUS_CLIENT ", "STATUS_GENERAL WARN ", "HS_DESC ", "WARN "):
            progress.handle(Reply(650, (ReplyLine(kind + text),)))
    assert 0 <= progress.status().progress <= 100


def test_a_wrong_configuration_is_told_in_tors_own_words() -> None:
    log = (
        "Nov 01 10:00:00.000 [warn] Failed to parse/validate config: Unknown option 'Nonsense'.  Failing.\n"
        "Nov 01 10:00:00.000 [err] Reading config failed--see warnings above.\n"
    )
    error = startup_failure(log, 1)
    assert error.code == "bad-torrc"
    assert "Unknown option 'Nonsense'" in error.message


def test_any_other_end_at_the_start_gives_the_last_words() -> None:
    log = "Nov 01 10:00 [warn] Something odd.\nNov 01 10:00 [err] No, it's still there.  Exiting.\n"
    error = startup_failure(log, 1)
    assert error.code == "tor-exited"
    assert "still there" in error.message
    assert "code 127" in startup_failure("", 127).message
    assert "libevent.so: not found" in startup_failure("tor: libevent.so: not found", 127).message
