"""`qwen-gateway export` and `qwen-gateway usage`, on a ledger with a few exchanges in it."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from qwen_gateway.cli import main
from qwen_gateway.ledger.database import Database
from tests.ledger.filling import BASE, exchange, fill, session

DATE = "2026-09-21"
TEXT, NUMBER, COUNT, LIST = {"type": "string"}, {"type": "number"}, {"type": "integer"}, {"type": "array"}


def of(*required: str, **fields: object) -> dict[str, object]:
    return {"type": "object", "required": [*fields, *required], "properties": fields}


def many(item: object) -> dict[str, object]:
    return {"type": "array", "items": item}


MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$"
PAIR = of(name=TEXT, value=TEXT)
HAR = of(
    log=of(
        version={"const": "1.2"},
        creator=of(name=TEXT, version=TEXT),
        entries=many(
            of(
                startedDateTime={"type": "string", "pattern": MOMENT},
                time={"type": "number", "minimum": 0},
                request=of(
                    method=TEXT, url={"type": "string", "pattern": "^https?://"}, httpVersion=TEXT, cookies=LIST,
                    headers=many(PAIR), queryString=many(PAIR), headersSize=COUNT, bodySize=COUNT,
                ),
                response=of(
                    status=COUNT, statusText=TEXT, httpVersion=TEXT, cookies=LIST, headers=many(PAIR),
                    content=of(size=COUNT, mimeType=TEXT), redirectURL=TEXT, headersSize=COUNT, bodySize=COUNT,
                ),
                cache={"type": "object"},
                timings=of(send={"minimum": 0}, wait={"minimum": 0}, receive={"minimum": 0}),
            )
        ),
    )
)  # fmt: skip
"""HAR 1.2: what each object must have (http://www.softwareishard.com/blog/har-12-spec/)."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gateway's home with a ledger in it, and nothing of the developer's own."""
    for name in ("QWEN_DATABASE_URL", "DATABASE_PATH", "QWEN_PRICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QWEN_GATEWAY_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    database = Database(str(tmp_path / "ledger.db"))
    database.write(fill)
    database.close()
    return tmp_path


def run(*arguments: str) -> str:
    ended = CliRunner().invoke(main, arguments)
    assert ended.exit_code == 0, ended.output
    return ended.output


def refused(*arguments: str) -> str:
    ended = CliRunner().invoke(main, arguments)
    assert ended.exit_code != 0
    assert not ended.exception or isinstance(ended.exception, SystemExit)
    return ended.output


def prices(home: Path) -> None:
    table = {"currency": "USD", "models": {"qwen3.7-*": {"input": 1000, "output": 2000}}}
    (home / "prices.json").write_text(json.dumps(table))


def test_lines_hold_everything(home: Path) -> None:
    rows = [json.loads(line) for line in run("export").splitlines()]

    assert [row["id"] for row in rows] == [f"req_{number:04d}" for number in range(11)]
    assert rows[3]["openai_request"]["messages"][0]["content"] == "Say 3"
    assert rows[3]["response"]["openai_response"]["id"] == "chatcmpl-3"
    assert rows[10]["response"] is None


def test_an_archive_is_one(home: Path) -> None:
    run("export", "--format", "har", "-o", str(home / "calls.har"))

    found = json.loads((home / "calls.har").read_text())
    jsonschema.validate(found, HAR)
    entries = found["log"]["entries"]
    assert len(entries) == 11
    assert entries[3]["request"]["url"].endswith("/v1/chat/completions")
    assert json.loads(entries[3]["request"]["postData"]["text"])["messages"][0]["content"] == "Say 3"
    assert json.loads(entries[3]["response"]["content"]["text"])["id"] == "chatcmpl-3"
    assert (entries[3]["time"], entries[3]["timings"]["wait"]) == (1500, 199)
    assert datetime.fromisoformat(entries[3]["startedDateTime"]).timestamp() == BASE + 3
    assert [entry["response"]["status"] for entry in entries] == [200] * 10 + [429]
    assert (home / "calls.har").stat().st_mode & 0o077 == 0


def test_an_empty_archive_is_one_too(home: Path) -> None:
    found = json.loads(run("export", "--format", "har", "--session", "nobody's"))

    jsonschema.validate(found, HAR)
    assert found["log"]["entries"] == []


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (["--model", "qwen3-max"], 1),
        (["--session", "ses_a"], 10),
        (["--since", "2026-09-21T14:13:29Z"], 2),
        (["--until", str(BASE + 2)], 2),
        (["--outcome", "failed"], 1),
        (["--since", "1d"], 0),
        (["--account", "' OR 1=1 --"], 0),
    ],
)
def test_a_part_of_it(home: Path, arguments: list[str], number: int) -> None:
    assert len(run("export", *arguments).splitlines()) == number


def test_usage_is_a_table(home: Path) -> None:
    prices(home)

    lines = run("usage").splitlines()

    assert lines[0].split() == ["day", "/", "model", "account", "calls", "failed", "tokens", "in", "out", "cost", "USD"]
    assert lines[1].split() == [DATE]
    assert lines[2].split() == ["qwen3-max", "home", "1", "1", "–", "–", "0.0000"]
    assert lines[3].split() == ["qwen3.7-plus", "work", "10", "–", "100", "200", "0.5000"]
    assert lines[4].split() == ["total", "11", "1", "100", "200", "0.5000"]


def test_usage_without_prices_shows_no_costs(home: Path) -> None:
    said = run("usage", "--by", "model")

    assert "cost" not in said
    assert "Without a price in" in said
    assert "qwen3.7-plus" in said.splitlines()[-1]


def test_what_has_no_price_is_not_counted_and_told(home: Path) -> None:
    prices(home)
    database = Database(str(home / "ledger.db"))

    def more(connection):
        session(connection, "ses_c")
        exchange(connection, 30, "ses_c", model="glm-5", tokens=(5, 5))

    database.write(more)
    database.close()
    said = run("usage", "--by", "account").splitlines()

    assert said[2].split()[-2:] == [">", "0.5000"]
    assert said[-1].endswith("glm-5.")


def test_a_models_name_cannot_command_the_terminal(home: Path) -> None:
    database = Database(str(home / "ledger.db"))
    database.write(lambda connection: exchange(connection, 31, "ses_a", model="\x1b]0;owned\x07[red]x"))
    database.close()

    said = run("usage")

    assert "\x1b" not in said
    assert "?]0;owned?[red]x" in said


def test_usage_for_programs(home: Path) -> None:
    prices(home)

    found = json.loads(run("usage", "--by", "day,model", "--json"))

    assert found["by"] == ["day", "model"]
    assert found["data"][1] == {
        "day": DATE, "model": "qwen3.7-plus", "calls": 10, "failed": 0, "prompt_tokens": 100, "cached_tokens": 0,
        "completion_tokens": 200, "total_tokens": 300, "cost": 0.5, "currency": "USD",
    }  # fmt: skip
    assert found["total"]["calls"] == 11


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["usage", "--by", "week"], "day, model, account"),
        (["usage", "--since", "yesterday"], "2026-11-21"),
        (["export", "--database", "/nowhere/ledger.db"], "There is no ledger at /nowhere/ledger.db"),
        (["export", "-o", "/nowhere/calls.har"], "/nowhere/calls.har cannot be written"),
        (["usage", "--database", "mysql://x"], "SQLite and PostgreSQL"),
    ],
)
def test_what_cannot_be_is_told(home: Path, arguments: list[str], said: str) -> None:
    assert said in refused(*arguments)


def test_broken_prices_are_told(home: Path) -> None:
    (home / "prices.json").write_text('{"models": {"x": {"input": -1, "output": 1}}}')

    assert "prices.json" in refused("usage")


def test_a_reader_who_has_seen_enough_is_no_failure(home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "qwen_gateway", "export"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        assert command.stdout
        assert command.stderr
        command.stdout.read(10)
        command.stdout.close()
        said = command.stderr.read()

    assert (command.returncode, said) == (0, b"")
