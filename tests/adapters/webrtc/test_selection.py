"""Which library makes the links."""

from __future__ import annotations

import subprocess
import sys

import pytest

from p4.adapters.webrtc import select_backend
from p4.errors import InputError, LocalError


@pytest.mark.parametrize("name", ["wrtc", "aiortc"])
def test_a_library_can_be_chosen_by_name_and_by_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert select_backend(name).name == name
    monkeypatch.setenv("P4_LINK_BACKEND", name)
    assert select_backend("auto").name == name
    assert select_backend().name == name


def test_wrtc_comes_first_and_an_empty_environment_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P4_LINK_BACKEND", "")
    assert select_backend("auto").name == "wrtc"
    monkeypatch.setenv("P4_LINK_BACKEND", "aiortc")
    assert select_backend("wrtc").name == "wrtc"


def test_an_unknown_name_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="wrtc, aiortc or auto"):
        select_backend("quic")
    monkeypatch.setenv("P4_LINK_BACKEND", "quic")
    with pytest.raises(InputError) as refusal:
        select_backend("auto")
    assert refusal.value.code == "link-backend"


def test_aiortc_serves_where_wrtc_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P4_LINK_BACKEND", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "webrtc" else object())
    assert select_backend("auto").name == "aiortc"
    with pytest.raises(LocalError) as refusal:
        select_backend("wrtc")
    assert refusal.value.code == "no-link-backend"


def test_without_any_library_the_message_holds_the_mending_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P4_LINK_BACKEND", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(LocalError, match="pip install wrtc"):
        select_backend("auto")


def test_choosing_one_library_does_not_import_the_other() -> None:
    program = (
        "import sys; from p4.adapters.webrtc import select_backend\n"
        "assert not {'webrtc', 'aiortc', 'av'} & set(sys.modules), 'imported too early'\n"
        "select_backend('wrtc'); assert 'webrtc' in sys.modules and 'aiortc' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
