"""Where in a text one is: tags in code fences, in inline code, behind a quote or a backslash are not meant as tags."""

import re

_MARK = re.compile(r"`+|~+|\n|<")
QUOTES = "“‘«\\"
"""Before a tag these say that it is talked about; so do plain quotes that open."""


class Prose:
    """Walks through prose and stops where a tag may begin. Text is passed once, from left to right."""

    def __init__(self) -> None:
        self._fence = ""  # the marks that opened the fence we are in
        self._code = 0  # backticks that opened the inline code we are in
        self._line = ""  # the line so far, its first characters: enough to see whether only blanks came
        self._tail = ""  # the last two characters
        self._quotes = 0  # double quotes on this line

    @property
    def quoted(self) -> bool:
        """Whether a tag here would be talked about."""
        last, before = self._tail[-1:], self._tail[:-1]
        return bool(
            self._fence
            or self._code
            or (last and last in QUOTES)
            or (last == '"' and self._quotes % 2)
            or (last == "'" and (not before or before in " \t\n(["))
        )

    @property
    def fence(self) -> str:
        """The marks of the code fence we are in, at the beginning of a line of it; else nothing."""
        return self._fence if self.at_line_start else ""

    def leave_fence(self) -> None:
        """It was none."""
        self._fence = ""

    @property
    def at_line_start(self) -> bool:
        """Whether only blanks have come on this line."""
        return not self._line.strip()

    def pass_over(self, text: str) -> None:
        """Take text in which no decision is due."""
        self.walk(text, 0, final=True, stop=False)

    def walk(self, text: str, start: int, *, final: bool, stop: bool = True) -> int:
        """Go on from `start`; where the next tag may begin, or where the text must grow before one can see."""
        place = start
        while found := _MARK.search(text, place):
            self._take(text[place : found.start()])
            sign = found[0]
            if sign == "<":
                if stop and (self.fence or not self.quoted):
                    return found.start()
                self._take("<")
            elif sign == "\n":
                self._line, self._code, self._quotes, self._tail = "", 0, 0, "\n"
            elif found.end() == len(text) and not final:
                return found.start()  # the run of marks may go on
            else:
                self._marks(sign)
            place = found.end()
        self._take(text[place:])
        return len(text)

    def _take(self, text: str) -> None:
        if text:
            self._tail = (self._tail + text[-2:])[-2:]
            self._quotes += text.count('"')
            if len(self._line) < 80:
                self._line += text[: 80 - len(self._line)]

    def _marks(self, sign: str) -> None:
        begins = not self._line.strip()
        if self._fence:
            if begins and sign[0] == self._fence[0] and len(sign) >= len(self._fence):
                self._fence = ""
        elif begins and len(sign) >= 3:
            self._fence = sign
        elif sign[0] == "`":
            self._code = len(sign) if not self._code else 0 if self._code == len(sign) else self._code
        self._take(sign)
