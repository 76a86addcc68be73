"""`p4 send`, `inbox`, `call`, `grant` and their like, as a user runs them, between two real daemons."""

from __future__ import annotations

import json

import pytest
from tests.cli.devices import Device, Following

Pair = tuple[Device, Device]

HOSTILE = "\x1b]0;owned\x07\x1b[2J‮evil\nforged: line"
"""Sets a title, clears the screen, turns the reading direction and begins a line of its own."""


def test_a_text_arrives_and_is_shown_once(running_pair: Pair) -> None:
    anna, bob = running_pair
    told = anna.p4("send", "bob", "see you at eight", "--wait", "delivered")
    assert told.startswith("bob has")
    assert bob.p4("inbox").endswith("anna: see you at eight\n")
    shown = [json.loads(line) for line in bob.p4("inbox", "--ack", "--json").splitlines()]
    assert [(entry["contact"]["name"], entry["text"]) for entry in shown] == [("anna", "see you at eight")]
    assert bob.p4("inbox") == "Nothing new.\n"


def test_nothing_that_is_sent_steers_the_terminal(running_pair: Pair) -> None:
    anna, bob = running_pair
    bob.p4("grant", "anna", "hostile")
    anna.p4("send", "bob", HOSTILE, "--wait", "delivered")
    anna.p4("send", "bob", "--service", "hostile", HOSTILE, "--wait", "delivered")
    outputs = [
        bob.p4("inbox", "--ack"),
        bob.p4("inbox", "--service", "hostile"),
        bob.p4("inbox", "--service", "hostile", "--json", "--ack"),
    ]
    for output in outputs:
        assert len(output.splitlines()) == 1
        assert not set("\x1b\x07‮") & set(output)
        assert "evil" in output
    assert json.loads(outputs[2])["value"] == HOSTILE


def test_values_of_applications(running_pair: Pair) -> None:
    anna, bob = running_pair
    bob.p4("grant", "anna", "home")
    send = ("send", "bob", "--service", "home.light", "--wait", "delivered")
    anna.p4(*send, "--json-value", '{"on": true}')
    anna.p4(*send, "--file", "-", stdin=b"\x00\xff")
    anna.p4(*send, stdin="from stdin\n")
    taken = [
        json.loads(line)
        for line in bob.p4("inbox", "--service", "home.light", "--ack", "--json").splitlines()
    ]
    assert [entry.get("value", entry.get("base64")) for entry in taken] == [
        {"on": True},
        "AP8=",
        "from stdin",
    ]
    assert bob.p4("inbox", "--service", "home.light") == "Nothing new.\n"


def test_consumed_means_that_an_application_took_it(running_pair: Pair) -> None:
    anna, bob = running_pair
    bob.p4("grant", "anna", "tasks")
    following = Following(bob, "inbox", "--service", "tasks", "-f", "--ack", "--json")
    try:
        sent = anna.json("send", "bob", "--service", "tasks", "now", "--wait", "consumed")
        assert sent["state"] == "consumed"
        (line,) = following.wait_for(1)
        assert json.loads(line)["id"] == sent["id"]
        assert following.end() == 130
    finally:
        following.stop()


def test_what_will_not_arrive_is_said(running_pair: Pair) -> None:
    anna, _ = running_pair
    refused = anna.run("send", "bob", "--service", "secret", "x", "--wait", "delivered")
    assert refused.returncode == 1
    assert refused.stderr.startswith("p4: ")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("send", "carol", "hi"), "no contact 'carol'"),
        (("send", "bob"), "nothing in this message"),
        (("send", "bob", "hi", "--ttl", "5"), "need a --service"),
        (("send", "bob", "--service", "home", "--json-value", "{"), "no JSON"),
        (("send", "bob", "--service", "Not a service", "x"), "service"),
        (("inbox", "-f", "--service", "home"), "needs --ack"),
        (("revoke", "bob", "never.granted"), "no grant"),
        (("call", "bob", "ping", "--deadline", "0"), "--deadline"),
        (("token", "new", "--app", "x"), "--grant"),
        (("token", "new", "--app", "x", "--grant", "a", "--expires", "soon"), "no time"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    running_pair: Pair, arguments: tuple[str, ...], words: str
) -> None:
    refused = running_pair[0].run(*arguments)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert words in refused.stderr
    assert refused.stdout == ""


def test_grants_as_text_and_json(running_pair: Pair) -> None:
    anna, _ = running_pair
    assert anna.p4("grant", "bob", "notes", "home") == "bob may use: chat ping notes home\n"
    assert anna.json("revoke", "bob", "notes")["grants"] == ["chat", "ping", "home"]
    (entry,) = anna.json("grants")
    assert (entry["name"], entry["grants"]) == ("bob", ["chat", "ping", "home"])
    assert anna.p4("revoke", "bob", "home") == anna.p4("grants", "bob") == "bob may use: chat ping\n"


def test_a_call_has_an_answer_or_a_reason(running_pair: Pair) -> None:
    anna, _ = running_pair
    assert anna.json("call", "bob", "ping") == {"value": None}
    refused = anna.run("call", "bob", "door.lock", "true")
    assert refused.returncode == 1
    assert "does not let this device use" in refused.stderr


def test_tokens(running_pair: Pair) -> None:
    anna, _ = running_pair
    made = anna.json(
        "token", "new", "--app", "notes", "--grant", "notes", "--contact", "bob", "--expires", "30d"
    )
    assert made["services"] == ["notes"]
    secret = made.pop("token")
    assert anna.json("token", "ls") == [made]
    listed = anna.p4("token", "ls")
    assert secret not in listed
    assert "in 29 days" in listed
    anna.p4("token", "revoke", made["id"])
    assert anna.json("token", "ls") == []
    assert anna.run("token", "revoke", made["id"]).returncode == 2


def test_names(running_pair: Pair) -> None:
    anna, _ = running_pair
    anna.p4("name", "Anna's laptop")
    assert anna.p4("name") == "Anna's laptop\n"
    renamed = anna.json("name", "--contact", "bob", "Robert")
    assert anna.json("ls")[0]["name"] == renamed["name"] == "Robert"
    anna.p4("name", "--contact", "robert", "bob")


def test_status_and_policy_go_through_the_daemon(running_pair: Pair) -> None:
    anna, _ = running_pair
    status = anna.json("status")
    assert (status["running"], status["live"], status["pid"]) == (True, True, anna.pid)
    assert anna.p4("policy", "bob", "lan-only").split()[1] == "policy=lan-only:"
    assert anna.json("ls", "bob")[0]["policy"] == "lan-only"
    anna.p4("policy", "bob", "direct")


def test_the_web_page_is_opened_by_a_link_that_works_once(running_pair: Pair) -> None:
    anna, _ = running_pair
    login = anna.json("open")
    assert login["url"].startswith("http://127.0.0.1:")
    assert anna.p4("open", "--print").strip() != login["url"]
