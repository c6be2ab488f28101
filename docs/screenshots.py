"""Draws docs/images/*.svg, what real commands print on a real (pseudo) terminal, in their own colours, and report.png, the
report of the run in a browser (needs Playwright and a Chromium; without one it is left as it is).

Remake them all after the demo, a report or the playground's weights have changed, with the run to show as argument:

    .venv/bin/moco demo                                   # writes runs/demo; minutes the first time
    .venv/bin/python docs/screenshots.py runs/demo        # a minute or two; then look at docs/images/*.svg

Names at the end (``... runs/demo ask error``) remake only those. Everything but the given run happens in a temporary folder with
a cache of its own, so nothing of the user's is touched and the progress bars have something to do. Unix only (``pty``).

Nothing is edited: the bytes a command wrote are replayed on a screen of WIDTH columns, and the screen is drawn with rich. The
drawing names no font file and nothing outside itself.
"""

from __future__ import annotations

import fcntl
import importlib.util
import io
import os
import pty
import re
import shutil
import struct
import sys
import tempfile
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

IMAGES = Path(__file__).parent / "images"
MOCO = Path(sys.executable).with_name("moco")
WIDTH, HEIGHT = 128, 60
CONTROL = re.compile(r"(\r\n|\r|\n|\x1b\[\d*[AK]|\x1b\[\?\d+[hl])")
DARK = "3a3e4a e06c75 82be78 dcb464 61a0e6 be82d7 56b6c2 d6d9e0"
BRIGHT = "7c8291 eb828a 98d28c ebc878 7db4f5 cd96e6 6ec8d4 f5f6fa"
"""The sixteen colours of a terminal: black, red, green, yellow, blue, magenta, cyan, white."""


def rgb(colors: str) -> list[tuple[int, int, int]]:
    return [(int(c[:2], 16), int(c[2:4], 16), int(c[4:], 16)) for c in colors.split()]


THEME = TerminalTheme((24, 26, 33), (214, 217, 224), rgb(DARK), rgb(BRIGHT))
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
.{unique_id}-title {{ font: 16px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
STUDY = """\
pool:
  - playground/alpha
  - playground/beta
  - {name: panel, method: majority_vote, members: [playground/gamma, playground/delta]}
tasks:
  - {name: playground/mixed, limit: 40}
methods:
  - majority_vote
  - name: multiagent_refine
    members: [alpha, beta]
    history: last
    update_last: "Question: {task}\\nAnswers:\\n{all}\\nFinal answer?"
seeds: [0, 1]
sampling: {max_tokens: 96, temperature: 0.7, top_p: 0.9}
"""
SHOTS = {
    "leaderboard": "moco report RUN",
    "progress": "moco run study.yaml",
    "ask": 'moco ask study.yaml "What is 17 + 25?" --kind numeric',
    "rounds": 'moco ask study.yaml "What is 17 + 25?" --kind numeric --method multiagent_refine',
    "error": "moco run study.yaml methods.0.tye=dev",
}
"""What is drawn; RUN is the run directory given on the command line."""
TOP = {"leaderboard": 20}
"""How many lines of a long screen are drawn."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass
class Screen:
    """Lines with their colour codes, as a terminal would show them; knows just the movements that rich makes."""

    lines: list[str] = field(default_factory=lambda: [""])
    row: int = 0

    def feed(self, text: str) -> None:
        for part in CONTROL.split(text):
            if part in ("\n", "\r\n"):
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif part.endswith("A") and part.startswith("\x1b["):
                self.row = max(0, self.row - int(part[2:-1] or 1))
            elif part.endswith("K") and part.startswith("\x1b["):
                self.lines[self.row] = ""
            elif part and not CONTROL.fullmatch(part):
                self.lines[self.row] += part

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()


def on_a_terminal(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run ``command`` on a pseudo-terminal of WIDTH columns and yield what it writes, as it comes."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe(command[0], command, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    while True:
        try:
            said = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not said:
            break
        yield said.decode("utf-8", "replace")
    os.waitpid(child, 0)


def screen_of(name: str, command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """The last screen of a command; for the progress bars one from the middle of the run."""
    screen, seen = Screen(), []
    for said in on_a_terminal(command, folder, environment):
        screen.feed(said)
        if re.search(r"\d:\d\d:\d\d left", screen.text):
            seen.append(screen.text)
    return seen[len(seen) // 2] if name == "progress" and seen else screen.text


def draw(name: str, line: str, screen: str) -> Path:
    """Write docs/images/NAME.svg: the command line and what it printed."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    console.print(Text.assemble(("$ ", "bright_black"), (line, "bold")))
    for row in ("", *screen.splitlines()[: TOP.get(name)], ""):
        console.print(Text.from_ansi(row), no_wrap=True, crop=True)
    file = IMAGES / f"{name}.svg"
    drawn = console.export_svg(title="", theme=THEME, code_format=SVG, unique_id=f"moco-{name}")
    file.write_text("\n".join(row.rstrip() for row in drawn.splitlines()) + "\n", encoding="utf-8")
    return file


def photograph(run: Path) -> Path | None:
    """Write docs/images/report.png: the top of the run's report, as a browser shows it; None where there is no browser."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None or importlib.util.find_spec("playwright") is None:
        return None
    from playwright.sync_api import sync_playwright

    file = IMAGES / "report.png"
    with sync_playwright() as api:
        browser = api.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 1180})
        page.goto((run / "report.html").resolve().as_uri())
        page.screenshot(path=file)
        browser.close()
    return file


def main(run: Path, names: list[str]) -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
        (folder / "runs").mkdir()
        (folder / "runs" / run.name).symlink_to(run.resolve())
        environment = {**os.environ, "MOCO_HOME": str(folder / "home"), "TERM": "xterm-256color", "COLUMNS": str(WIDTH)}
        environment.pop("NO_COLOR", None)
        if not names or "report" in names:
            sys.stdout.write(f"{photograph(run) or 'no browser: docs/images/report.png is left as it is'}\n")
        for name in [n for n in names if n in SHOTS] if names else SHOTS:
            line = SHOTS[name].replace("RUN", f"runs/{run.name}")
            command = [str(MOCO), *(word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)[1:])]
            sys.stdout.write(f"{draw(name, line, screen_of(name, command, folder, environment))}\n")


if __name__ == "__main__":
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "results.json").is_file():
        raise SystemExit("name a finished run: .venv/bin/python docs/screenshots.py runs/demo [NAME ...]")
    main(Path(sys.argv[1]), sys.argv[2:])
