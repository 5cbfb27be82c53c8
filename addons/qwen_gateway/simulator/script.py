"""The script: faults laid out beforehand, each taken by the next call that fits."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .faults import Faults, make


@dataclass(slots=True)
class Entry:
    """One prepared answer."""

    faults: Faults
    key: str | None = None
    """Only for calls with this key."""
    path: str | None = None
    """Only for calls whose path ends so."""
    times: int = 1

    @classmethod
    def parse(cls, written: Any) -> "Entry":
        """From a string of faults, or `{"fault": …, "params": {…}, "key": …, "path": …, "times": …}`."""
        if isinstance(written, str):
            return cls(Faults.parse(written))
        if not isinstance(written, dict) or written.keys() - {"fault", "params", "key", "path", "times"}:
            raise ValueError(
                f"a script entry is a fault or an object with fault, params, key, path, times; not {written!r}"
            )
        fault = str(written.get("fault", "ok"))
        faults = Faults([make(fault, written["params"])]) if written.get("params") else Faults.parse(fault)
        return cls(faults, written.get("key"), written.get("path"), int(written.get("times", 1)))

    def fits(self, key: str, path: str) -> bool:
        """Whether the entry is for this call."""
        return self.key in {None, key} and (self.path is None or path.endswith(self.path))


class Script:
    """Entries not yet taken, in order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, written: Iterable[Any]) -> None:
        """Append entries; all or none."""
        self.entries += [Entry.parse(one) for one in written]

    def take(self, key: str, path: str) -> Faults | None:
        """The faults for a call, by the first entry that fits."""
        for entry in self.entries:
            if entry.fits(key, path):
                entry.times -= 1
                if entry.times <= 0:
                    self.entries.remove(entry)
                return entry.faults
        return None

    def clear(self) -> None:
        """Forget what was not taken."""
        self.entries.clear()
