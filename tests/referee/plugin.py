"""The last line of a test run: how many objects were validated, and how many were wrong.

To be named in `pytest_plugins` of `tests/conftest.py`; joins the counts of pytest-xdist's workers.
"""

import pytest

from tests.referee.verdict import counts


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its counts to the process that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["referee"] = counts.as_dict()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Join what a worker counted."""
    if counted := getattr(node, "workeroutput", {}).get("referee"):
        counts.add(counted)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the line, if the referee was asked at all."""
    if counts.validated:
        terminalreporter.write_line(f"referee: {counts.summary()}")
