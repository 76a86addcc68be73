"""Each command of the prompt: what it does, what it prints, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.fake_node import ANNA, BOB, ME, FakeNode, invite_of

from p4.cli.prompt import COMMANDS, CommandPrompt
from p4.core.policy import Policy

A, B = ANNA.peer_id, BOB.peer_id


@pytest.fixture
def node() -> FakeNode:
    node = FakeNode()
    node.add_contact(invite_of(ANNA), "Anna's laptop")
    node.add_contact(invite_of(BOB))
    return node


@pytest.fixture
def prompt(node: FakeNode) -> CommandPrompt:
    return CommandPrompt(node)


async def test_peers_are_listed_as_v1_does_with_the_name_at_the_end(
    prompt: CommandPrompt, node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    node.peer(B).connected = True
    assert await prompt.handle("/peers")
    roles = ["initiator" if ME.peer_id < peer else "responder" for peer in (A, B)]
    assert capsys.readouterr().out.splitlines() == [
        f"{A} role={roles[0]} connected=False state=retry in 3 s name=Anna's laptop",
        f"{B} role={roles[1]} connected=True state=open",
    ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (f"/send {B} hello", "hello"),
        (f"/send {B[:6]} hello", "hello"),
        (f'/send {B}  "two"  spaces  ', ' "two"  spaces  '),
        (f"  /send {B} /quit", "/quit"),
        (f"/send {B} ", None),
        (f"/send {B}", None),
        ("/send", None),
        ("/send nobody hello", None),
    ],
)
async def test_a_text_is_sent_verbatim_or_not_at_all(
    prompt: CommandPrompt,
    node: FakeNode,
    line: str,
    text: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    node.peer(B).connected = True
    assert await prompt.handle(line)
    assert node.peer(B).sent == ([] if text is None else [text])
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == (1 if text is None else 0)


async def test_a_name_with_a_space_is_quoted(prompt: CommandPrompt, node: FakeNode) -> None:
    await prompt.handle('/send "Anna\'s laptop" "hi" there')
    assert node.peer(A).sent == ['"hi" there']


async def test_a_text_to_an_absent_peer_is_said_to_wait(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    queued: list[tuple[str, int]] = []
    prompt = CommandPrompt(node, queued=lambda peer, receipt: queued.append((peer, receipt.number)))
    await prompt.handle(f"/send {B} hi")
    assert capsys.readouterr().out == (
        f"Peer {B} is not connected; message 1 is saved and will be sent when it is back\n"
    )
    assert queued == [(B, 1)]


async def test_dropping(prompt: CommandPrompt, node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.peer(A).connected = True
    await prompt.handle("/drop Anna's laptop")
    await prompt.handle("/drop Anna's laptop")
    assert capsys.readouterr().out == f"Dropped session with {A}\nPeer {A} is not connected\n"


async def test_what_a_contact_may_use_is_shown_widened_and_narrowed(
    prompt: CommandPrompt, node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in (
        "/grants Anna's laptop",
        '/grant "Anna\'s laptop"  film home.light  film',
        f"/revoke {A} chat home.light",
        f"/grant {A[:6]} *",
        f"/revoke {A} * film",
    ):
        assert await prompt.handle(line)
    assert capsys.readouterr().out.splitlines() == [
        f"{A} may use: {granted}" for granted in ("chat", "chat film home.light", "film", "film *", "nothing")
    ]
    assert node.peer(A).grants == ()
    assert node.peer(B).grants == ("chat",)


async def test_what_a_wider_grant_covers_cannot_be_revoked(
    prompt: CommandPrompt, node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    await prompt.handle(f"/grant {B} home")
    capsys.readouterr()
    await prompt.handle(f"/revoke {B} chat home.light")
    said = capsys.readouterr()
    assert said.out == ""
    assert "'home.light'" in said.err
    assert "Nothing was changed" in said.err
    assert node.peer(B).grants == ("chat", "home")


async def test_a_policy_is_shown_and_chosen(
    prompt: CommandPrompt, node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in ("/policy " + A, '/policy "Anna\'s laptop" relay-only', f"/policy {A[:6]}  LAN-only "):
        assert await prompt.handle(line)
    said = capsys.readouterr()
    assert said.err == ""
    assert [line.partition(":")[0] for line in said.out.splitlines()] == [
        f"{A} policy={policy}" for policy in ("direct", "relay-only", "lan-only")
    ]
    assert node.peer(A).policy is Policy.LAN_ONLY
    assert node.peer(B).policy is Policy.DIRECT
    await prompt.handle("/ls")
    anna, bob = capsys.readouterr().out.splitlines()[1:]
    assert "retry in 3 s (lan-only): " in anna
    assert "direct" not in bob


async def test_renaming_and_removing(
    prompt: CommandPrompt, node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    await prompt.handle(f"/rename {B} Bob at work")
    await prompt.handle('/rename "bob at work" "Bob"')
    assert node.peer(B).name == "Bob"
    await prompt.handle("/remove Bob")
    assert [peer.peer_id for peer in node.peers()] == [A]
    assert capsys.readouterr().out == (f"Renamed {B} to Bob at work\nRenamed {B} to Bob\nRemoved {B}\n")


async def test_our_invite_is_printed_indented(
    prompt: CommandPrompt, capsys: pytest.CaptureFixture[str]
) -> None:
    await prompt.handle("/invite")
    out = capsys.readouterr().out
    assert json.loads(out)["peer_id"] == ME.peer_id
    assert len(out.splitlines()) > 5


@pytest.mark.parametrize("quoted", [False, True])
async def test_adding_from_a_file_with_spaces(quoted: bool, tmp_path: Path) -> None:
    path = tmp_path / "my invite.json"
    path.write_bytes(invite_of(BOB).to_text().encode("utf-16"))
    node = FakeNode()
    await CommandPrompt(node).handle(f'/add-file "{path}"' if quoted else f"/add-file {path}")
    assert [peer.peer_id for peer in node.peers()] == [B]


async def test_adding_from_json_and_from_pasted_lines(capsys: pytest.CaptureFixture[str]) -> None:
    node = FakeNode()
    prompt = CommandPrompt(node)
    await prompt.handle("/add-json " + json.dumps(json.loads(invite_of(ANNA).to_text())))
    await prompt.handle("/add-invite")
    assert prompt.text == "... "
    for line in invite_of(BOB).to_text().splitlines():
        await prompt.handle(line)
    await prompt.handle(".")
    assert prompt.text == "p4> "
    assert [peer.peer_id for peer in node.peers()] == [A, B]
    assert capsys.readouterr().out.splitlines()[-1] == f"Added {B}"


async def test_a_paste_may_be_given_up_and_cannot_fill_the_memory(capsys: pytest.CaptureFixture[str]) -> None:
    node = FakeNode()
    prompt = CommandPrompt(node)
    for lines in (["."], ["x" * 100_000, *invite_of(BOB).to_text().splitlines(), "."]):
        await prompt.handle("/add-invite")
        for line in lines:
            await prompt.handle(line)
    assert node.peers() == []
    assert len(capsys.readouterr().err.splitlines()) == 1
    await prompt.handle("/add-invite")
    await prompt.handle("{")
    prompt.end()
    assert "not ended" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "/",
        "/nonsense",
        "/HELP",
        '"/help',
        "/" + "x" * 10_000,
        "/peers now",
        "/quit now",
        "/add-file",
        "/add-file /no/such/file",
        "/add-file /",
        "/add-file a\0b",
        '/add-file "a',
        "/add-json",
        "/add-json {",
        "/add-json []",
        '/add-json {"peer_id": 1}',
        "/add-json " + json.dumps(invite_of(ME).to_object()),
        "/drop",
        "/drop nobody",
        f"/drop {A[:5]}",
        "/grants",
        "/grants nobody",
        "/grant",
        f"/grant {B}",
        f"/grant {B}  ",
        "/grant nobody film",
        f"/grant {B} film Film",
        f"/grant {B} \x1b[2J",
        "/revoke",
        f"/revoke {B}",
        "/revoke nobody chat",
        f"/revoke {B} film",
        f"/revoke {B} \x1b[2J",
        "/remove",
        "/remove nobody",
        "/rename",
        f"/rename {B}",
        f"/rename {B} Anna's laptop",
        f"/rename {B} {'x' * 200}",
        "/rename nobody x",
        "/policy",
        "/policy nobody direct",
        f"/policy {B} secret",
        f"/policy {B} direct relay-only",
        f"/send {B} {'x' * 2000}",
        f"/send {B}\x1b[2J hi",
    ],
)
async def test_a_bad_line_gets_one_line_and_changes_nothing(
    prompt: CommandPrompt, node: FakeNode, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = node.book.serialise()
    assert await prompt.handle(line)
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("p4: ")
    assert "\x1b" not in said.err
    assert len(said.err) < 500
    assert node.book.serialise() == before
    assert not any(peer.sent for peer in node.peers())
    assert all(peer.grants == ("chat",) for peer in node.peers())
    assert all(peer.policy is Policy.DIRECT for peer in node.peers())


async def test_help_names_every_command(prompt: CommandPrompt, capsys: pytest.CaptureFixture[str]) -> None:
    await prompt.handle("/help")
    out = capsys.readouterr().out
    assert all(command in out for command in COMMANDS)


async def test_blank_lines_do_nothing_and_quit_ends(
    prompt: CommandPrompt, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await prompt.handle("")
    assert await prompt.handle("   ")
    assert not await prompt.handle("/quit")
    assert not await prompt.handle("  /quit ")
    assert capsys.readouterr() == ("", "")
