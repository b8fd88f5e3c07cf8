"""What a terminal shows while a program writes to it, and that as an SVG that plays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

STYLES = {"0": "", "1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "34": "u", "35": "m", "36": "c"}  # fmt: skip
LIGHT = {"": "#1f2328", "b": "#1f2328", "d": "#6e7781", "r": "#b3261e", "g": "#1a7f37", "y": "#8a6100", "u": "#0550ae", "m": "#7c3aed", "c": "#0b7285"}  # fmt: skip
DARK = {"": "#e6edf3", "b": "#ffffff", "d": "#8b949e", "r": "#ff8a80", "g": "#6fdd8b", "y": "#e3b341", "u": "#79c0ff", "m": "#d2a8ff", "c": "#56d4dd"}  # fmt: skip
CHARACTER, LINE, MARGIN = 7.8, 18, 14
CONTROL = re.compile(r"\x1b\[(\?)?([\d;]*)([A-Za-z])")

Line = list[tuple[str, str]]  # a character and its style


class Screen:
    """As much of a terminal as Rich's live display asks of one."""

    def __init__(self) -> None:
        self.lines: list[Line] = [[]]
        self.row = self.column = 0
        self.style = ""

    def write(self, text: str) -> None:
        """Take in what a program wrote."""
        at = 0
        while at < len(text):
            if found := CONTROL.match(text, at):
                if not found[1]:
                    self._control(found[3], found[2])
                at = found.end()
                continue
            self._put(text[at])
            at += 1

    def _control(self, what: str, numbers: str) -> None:
        n = int(numbers) if numbers.isdigit() else 1
        if what == "A":
            self.row = max(0, self.row - n)
        elif what == "B":
            self.row += n
        elif what == "K":
            self.lines[self.row] = [] if numbers == "2" else self.lines[self.row][: self.column]
        elif what == "m":
            for number in (numbers or "0").split(";"):
                self.style = STYLES.get(number, self.style)

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row, self.column = self.row + 1, 0
            if self.row == len(self.lines):
                self.lines.append([])
        else:
            line = self.lines[self.row]
            line += [(" ", "")] * (self.column + 1 - len(line))
            line[self.column] = (character, self.style)
            self.column += 1

    def picture(self) -> tuple[str, ...]:
        """Each line as SVG text; equal lines are equal."""
        return tuple(_spans(line) for line in self.lines)


def _spans(line: Line) -> str:
    made, start = "", 0
    while start < len(line):
        style = line[start][1]
        end = start
        while end < len(line) and line[end][1] == style:
            end += 1
        text = "".join(character for character, _ in line[start:end])
        if text.strip():
            lead = len(text) - len(text.lstrip())
            x = MARGIN + (start + lead) * CHARACTER
            made += f'<tspan x="{x:.1f}" class="s{style}">{escape(text.strip())}</tspan>'
        start = end
    return made


def svg(frames: Sequence[tuple[float, tuple[str, ...]]], columns: int, seconds: float, *, title: str, text: str) -> str:  # fmt: skip
    """Frames, each from its second on, as one picture that plays them again and again.

    Who wants no motion sees the last one. A line that comes twice is there once.
    """
    width = round(2 * MARGIN + columns * CHARACTER)
    rows = max(len(lines) for _, lines in frames)
    height = 2 * MARGIN + rows * LINE
    names: dict[str, str] = {}
    for _, lines in frames:
        for line in lines:
            if line:
                names.setdefault(line, f"l{len(names)}")
    shown = "".join(
        f'<g transform="translate({width * number})">'
        + "".join(f'<use href="#{names[line]}" y="{row * LINE}"/>' for row, line in enumerate(lines) if line)
        + "</g>"
        for number, (_, lines) in enumerate(frames)
    )  # fmt: skip
    steps = "".join(
        f"{100 * at / seconds:.2f}%{{transform:translateX({-width * number}px)}}"
        for number, (at, _) in enumerate(frames)
    )
    end = -width * (len(frames) - 1)
    themes = [_theme(LIGHT, "#ffffff", "#d0d7de"), _theme(DARK, "#0d1117", "#30363d")]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="t d">'
        f'<title id="t">{escape(title)}</title><desc id="d">{escape(text)}</desc><style>'
        f"text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre}}.sb{{font-weight:bold}}{themes[0]}"
        f"@media(prefers-color-scheme:dark){{{themes[1]}}}"
        f"#play{{animation:play {seconds:.2f}s steps(1) infinite}}@keyframes play{{{steps}100%{{transform:translateX({end}px)}}}}"
        f"@media(prefers-reduced-motion:reduce){{#play{{animation:none;transform:translateX({end}px)}}}}</style><defs>"
        + "".join(f'<text id="{name}" y="{MARGIN + 13}">{line}</text>' for line, name in names.items())
        + f'</defs><rect class="back" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/><g id="play">{shown}</g></svg>\n'
    )  # fmt: skip


def _theme(colours: dict[str, str], back: str, edge: str) -> str:
    rules = "".join(f".s{name}{{fill:{colour}}}" for name, colour in colours.items())
    return f"{rules}.back{{fill:{back};stroke:{edge}}}"
