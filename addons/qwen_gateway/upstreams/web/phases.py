"""The phases of an answer into deltas (upstream.md 3.6).

Thinking comes as text (`think`) or as cumulative lists of titles and summaries (`thinking_summary`); a search's sources
become citations, pictures become Markdown, usage is cumulative and the last one counts.
"""

from collections.abc import Mapping
from typing import Any

from qwen_gateway.codec.deltas import Begin, Delta, Extra, Finish, Text, Thought, Usage
from qwen_gateway.upstreams.chat_chunks import count

PICTURES = frozenset({"image_gen", "image_gen_tool", "image"})
THOUGHTS = frozenset({"think", "thinking_summary", "code_interpreter"})
SILENT = frozenset({"web_search"})
ENDS = PICTURES - {"image_gen_tool"} | {"answer"}
"""Phases whose `finished` is the end of the answer."""


class Phases:
    """Reads the events of one answer.

    Attributes:
        response_id, parent_id: the ids of the answer and of the question, once told: the next turn's parent is one of
            them (3.5).
        finished: the end was told.
        spoke: there was something else than thoughts.
        begun: there was anything at all.
    """

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.parent_id: str | None = None
        self.finished = False
        self.spoke = False
        self.begun = False
        self._summaries: dict[tuple[int, int], int] = {}  # item and kind → characters already passed on
        self._sources: dict[str, str] = {}
        self._pictures: set[str] = set()
        self._usage: Usage | None = None

    def read(self, event: Mapping[str, Any]) -> list[Delta]:
        """The deltas of one event."""
        deltas: list[Delta] = []
        created = event.get("response.created")
        if isinstance(created, Mapping):
            self.response_id = _text(created.get("response_id")) or self.response_id
            self.parent_id = _text(created.get("parent_id")) or self.parent_id
            deltas.append(Begin(id=self.response_id))
        elif self.response_id is None and (given := _text(event.get("response_id"))):
            self.response_id = given
        self._count(event.get("usage"))
        for choice in _list(event.get("choices"))[:1]:
            delta = choice.get("delta") if isinstance(choice, Mapping) else None
            if isinstance(delta, Mapping):
                self._delta(delta, deltas)
        self.begun = self.begun or any(isinstance(delta, Text | Thought) for delta in deltas)
        return deltas

    def end(self) -> list[Delta]:
        """What comes last: citations, usage, the reason."""
        deltas: list[Delta] = []
        if self._sources:
            cited = [
                {"type": "url_citation", "url_citation": {"url": url, "title": title, "start_index": 0, "end_index": 0}}
                for url, title in self._sources.items()
            ]
            deltas.append(Extra({"annotations": cited}))
        deltas.append(Finish("stop"))
        return deltas + ([self._usage] if self._usage else [])

    @property
    def usage(self) -> Usage | None:
        """Tokens so far."""
        return self._usage

    def _delta(self, delta: Mapping[str, Any], deltas: list[Delta]) -> None:
        phase = _text(delta.get("phase")) or "answer"
        content = delta.get("content")
        content = content if isinstance(content, str) else ""
        extra = delta.get("extra")
        extra = extra if isinstance(extra, Mapping) else {}
        if phase == "thinking_summary":
            self._summarise(extra, deltas)
        if phase in THOUGHTS:
            if content:
                deltas.append(Thought(content))
        elif phase in PICTURES:
            for url in (content, *(_text(_dict(row).get("image")) for row in _list(extra.get("image_list")))):
                self._picture(url, deltas)
        elif phase not in SILENT and content:
            self.spoke = True
            deltas.append(Text(content))
        for row in _list(extra.get("web_search_info")):
            if url := _text(_dict(row).get("url")):
                self._sources.setdefault(url, _text(_dict(row).get("title")) or url)
        if delta.get("status") == "finished" and phase in ENDS:
            self.finished = True

    def _summarise(self, extra: Mapping[str, Any], deltas: list[Delta]) -> None:
        """Of the cumulative lists, what is new: a title on a line of its own, then its summary."""
        columns = [_list(_dict(extra.get(name)).get("content")) for name in ("summary_title", "summary_thought")]
        for item in range(max(map(len, columns))):
            for kind, column in enumerate(columns):
                text = column[item] if item < len(column) and isinstance(column[item], str) else ""
                told = self._summaries.get((item, kind), 0)
                if len(text) <= told:
                    continue
                lead = "\n\n" if told == 0 and self._summaries and kind == 0 else "\n" if told == 0 and kind else ""
                if told == 0 and kind and (item, 0) not in self._summaries:
                    lead = "\n\n" if self._summaries else ""
                self._summaries[item, kind] = len(text)
                deltas.append(Thought(lead + text[told:]))

    def _picture(self, url: str, deltas: list[Delta]) -> None:
        if not url.startswith(("http://", "https://")) or url in self._pictures:
            return
        lead = "\n\n" if self._pictures else ""
        self._pictures.add(url)
        self.spoke = True
        deltas.append(Text(f"{lead}![image]({url})"))

    def _count(self, usage: Any) -> None:
        """Cumulative; `cached_tokens` stood at the top in older captures, and pictures have no tokens at all."""
        if not isinstance(usage, Mapping) or not {"input_tokens", "output_tokens"} & usage.keys():
            return
        prompt, completion = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
        of_prompt = {**_dict(usage.get("input_tokens_details")), **_dict(usage.get("prompt_tokens_details"))}
        if "cached_tokens" in usage:
            of_prompt.setdefault("cached_tokens", usage["cached_tokens"])
        self._usage = Usage(
            prompt,
            completion,
            count(usage.get("total_tokens")) or prompt + completion,
            {name: count(value) for name, value in of_prompt.items()},
            {name: count(value) for name, value in _dict(usage.get("output_tokens_details")).items()},
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
