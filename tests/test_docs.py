"""What the documents list, the code has, and the other way round."""

import re
from pathlib import Path

import pytest
from msgspec import Struct

from qwen_gateway.ledger.database import Database
from qwen_gateway.ledger.schema import METADATA
from qwen_gateway.openai.chat_request import ChatRequest
from qwen_gateway.openai.completion_request import CompletionRequest
from qwen_gateway.openai.embeddings_request import EmbeddingsRequest
from qwen_gateway.openai.responses_request import ResponsesRequest
from qwen_gateway.option_table import OPTIONS
from qwen_gateway.router import TABLE
from qwen_gateway.upstreams.parameters import RULES
from qwen_gateway.upstreams.verdicts import VERDICTS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def first_cells(text: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def test_every_option_has_a_row_with_its_variable() -> None:
    text = page("reference/options.md")
    for option in OPTIONS:
        row = re.search(rf"^\| `{option.name}` \|.*$", text, re.MULTILINE)
        assert row, option.name
        assert option.variable in row[0]
        assert option.help.split(".")[0].replace("|", "\\|") in row[0]


def test_no_option_is_listed_that_is_not_there() -> None:
    listed = {name for name in first_cells(page("reference/options.md")) if name.startswith("qwen_")}
    assert listed == {option.name for option in OPTIONS}


def test_every_verdict_has_a_row_with_its_status_and_code() -> None:
    text = page("reference/errors.md")
    for verdict in VERDICTS.values():
        assert re.search(rf"^\| `{verdict.name}` \| {verdict.status} \| `{verdict.code}` \|", text, re.MULTILINE)


def test_every_error_code_of_the_sources_is_listed() -> None:
    text = page("reference/errors.md")
    for source in (ROOT / "addons" / "qwen_gateway").rglob("*.py"):
        if "simulator" in source.parts:
            continue
        for code in re.findall(r'\bcode="([a-z_]+)"', source.read_text()):
            assert f"`{code}`" in text, f"{code} of {source.name}"


def test_every_parameter_has_a_row() -> None:
    listed = first_cells(page("reference/parameters.md"))
    assert set(RULES) <= listed
    assert set(ChatRequest.__struct_fields__) <= listed


def test_every_parameter_of_responses_has_a_row() -> None:
    section = page("reference/parameters.md").split("# Parameters of responses")[1].split("\n# ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert listed == set(ResponsesRequest.__struct_fields__)


@pytest.mark.parametrize(("surface", "shape"), [("embeddings", EmbeddingsRequest), ("completions", CompletionRequest)])
def test_every_parameter_of_other_surfaces_has_a_row(surface: str, shape: type[Struct]) -> None:
    section = page("reference/parameters.md").split(f"# Parameters of {surface}")[1].split("\n# ")[0]
    assert first_cells(section) == set(shape.__struct_fields__)


def test_every_path_of_the_router_is_listed() -> None:
    text = page("reference/endpoints.md")
    for path in re.findall(r"`(?:POST|GET) (/\S+)`", text):
        concrete = (
            path.replace("responses/{id}", "responses/resp_1")
            .replace("completions/{id}", "completions/chatcmpl-1")
            .replace("{id}", "qwen-plus")
        )
        assert any(pattern.fullmatch(concrete) for pattern, _, _ in TABLE), path
    for surface in ("chat/completions", "responses", "completions", "embeddings", "models", "models/{id}", "health"):
        assert surface in text


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_that_are_named_are_there(path: Path) -> None:
    for name in re.findall(r"`?\bscripts/([a-z]+)\b", path.read_text()):
        assert (ROOT / "scripts" / name).exists(), name


def test_every_source_file_of_the_gateway_stands_in_the_house() -> None:
    text = page("explanation/house.md")
    for entry in sorted((ROOT / "addons" / "qwen_gateway").iterdir()):
        if entry.suffix == ".py" and not entry.name.startswith("__") and entry.name != "version.py":
            assert entry.name in text, entry.name
        elif entry.is_dir() and not entry.name.startswith("__"):
            assert f"{entry.name}/" in text, entry.name


def test_the_tables_of_the_ledger_are_those_of_the_schema() -> None:
    types = {"Words": "text", "Double": "real", "Boolean": "boolean", "BigInteger": "integer", "Integer": "integer"}
    sections = page("reference/ledger.md").split("\n## ")[1:]
    listed = {
        section[1 : section.index("`", 1)]: re.findall(r"^\| `([^`]+)` \| (\w+) \|", section, re.MULTILINE)
        for section in sections
    }
    assert listed == {
        name: [(column.name, types[type(column.type).__name__]) for column in table.columns]
        for name, table in METADATA.tables.items()
    }


def test_the_questions_to_the_ledger_can_be_asked(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "ledger.db"))
    questions = re.findall(r"```sql\n(.*?)```", page("howto/ask-the-ledger.md"), re.DOTALL)
    for question in questions:
        database.read(lambda connection, question=question: connection.exec_driver_sql(question).all())
    database.close()

    assert len(questions) > 4
