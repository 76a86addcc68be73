"""Draws docs/images/terminal.svg: two devices, from nothing to a copied file, as a terminal shows it.

    .venv/bin/python scripts/terminal_picture.py

The commands are run, in direct mode on this machine; what they print is what is drawn, with a short link.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs/images/terminal.svg"
FONT = re.compile(r"@font-face \{\{.*?\}\}", re.DOTALL)


class Device:
    """One of the two: a state directory, and a home for what arrives."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.home = directory / name
        self.home.mkdir()
        self.environment = {**os.environ, "HOME": str(self.home), "P4_STATE_DIR": str(self.home / ".p4")}

    def run(self, *arguments: str) -> str:
        """What a command prints."""
        command = [sys.executable, "-m", "p4.cli", *arguments]
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
        return done.stdout.rstrip("\n")

    def start(self) -> None:
        """Its daemon, and its name."""
        self.run("up", "--detach", "--mode", "direct", "--stun-server", "")
        self.run("name", self.name)


def draw(laptop: Device, phone: Device) -> Console:
    """Run everything, and write it as a terminal would."""
    console = Console(record=True, width=84, file=(laptop.home / "screen").open("w"), force_terminal=True)

    def show(device: Device, command: str, printed: str) -> None:
        prompt = Text(f"{device.name} $ ", style="bold green" if device is laptop else "bold magenta")
        console.print(prompt + Text(command, style="bold white"))
        if printed:
            console.print(Text(printed))

    invited = json.loads(laptop.run("invite", "--name", "phone", "--no-wait", "--json"))
    short = f"{invited['text'][:20]}…"
    show(laptop, "p4 invite --name phone", f"On the other device:\n\n  p4 add {short}\n")
    show(phone, f"p4 add {short} --name laptop", phone.run("add", invited["text"], "--name", "laptop"))
    show(
        laptop,
        'p4 send phone "On the train. Is the backup through?"',
        laptop.run("send", "phone", "On the train. Is the backup through?"),
    )
    show(phone, "p4 inbox", phone.run("inbox"))
    show(phone, "p4 grant laptop files", phone.run("grant", "laptop", "files"))
    (laptop.home / "harbour.jpg").write_bytes(os.urandom(3_400_000))
    show(laptop, "p4 cp harbour.jpg phone:", laptop.run("cp", "harbour.jpg", "phone:"))
    show(laptop, "p4 ls", laptop.run("ls"))
    return console


def main() -> None:
    """Two devices, the picture, and nothing left behind."""
    with tempfile.TemporaryDirectory() as directory:
        laptop, phone = (Device(Path(directory), name) for name in ("laptop", "phone"))
        try:
            for device in (laptop, phone):
                device.start()
            console = draw(laptop, phone)
        finally:
            for device in (laptop, phone):
                device.run("down")
        without_fonts = FONT.sub("", CONSOLE_SVG_FORMAT).replace("Fira Code", "ui-monospace")
        PICTURE.write_text(
            console.export_svg(title="two devices", code_format=without_fonts), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
