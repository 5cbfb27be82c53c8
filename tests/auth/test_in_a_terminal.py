"""`qwen-auth` in a terminal of 80 by 24, as a person sees it. Needs a system with pseudo-terminals."""

import os
import re
import sys
import time

import pytest

from qwen_auth.commands.qr import qr_lines
from qwen_gateway.simulator import Simulator
from tests.auth.processes import SOURCES
from tests.terminals import Terminal, plain

pytest.importorskip("termios")


OTHERS = ("QWEN", "DASHSCOPE", "BAILIAN", "DEFAULT_ACCOUNT", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")


def auth(home, *arguments, **environ):
    path = os.pathsep.join(filter(None, (SOURCES, os.environ.get("PYTHONPATH"))))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    own = {"PYTHONPATH": path, "HOME": str(home), "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "qwen_auth.cli", *arguments]
    return Terminal(command, home, inherited | own | environ)


@pytest.fixture
def simulator():
    with Simulator.in_thread(interval=0.01) as simulator:
        yield simulator


def test_a_sign_in_shows_code_link_and_count_down_on_one_screen_and_ends_by_itself(simulator, tmp_path):
    terminal = auth(tmp_path, "login", QWEN_BASE_URL=simulator.base_url)
    terminal.until("left")
    time.sleep(1.2)
    user_code = simulator.oauth.codes[0].user_code
    simulator.oauth.approve(user_code)
    shown = plain(terminal.until("renewed by itself"))

    assert terminal.finish() == 0
    link = f"{simulator.base_url}/authorize?user_code={user_code}&client=qwen-code"
    drawn = qr_lines(link)
    lines = [line.rstrip() for line in shown.splitlines()]
    assert "\n".join(line.rstrip() for line in drawn) in "\n".join(lines)
    assert link in lines
    counts = re.findall(r"Waiting for your approval · (\d+:\d\d) left · Ctrl-C stops", shown)
    assert len(set(counts)) >= 2
    assert set(counts) <= {"30:00", "29:59", "29:58", "29:57", "29:56", "29:55", "29:54"}
    assert len(drawn) + 4 <= 24
    assert "\x1b[?25h" in terminal.shown  # the cursor is back
    assert (tmp_path / ".qwen" / "oauth_creds.json").exists()


def press_ctrl_c(terminal):
    terminal.press("\x03")


def kill_politely(terminal):
    terminal.process.terminate()


@pytest.mark.parametrize("stop", [press_ctrl_c, kill_politely])
def test_stopping_it_leaves_nothing_behind(simulator, tmp_path, stop):
    terminal = auth(tmp_path, "login", QWEN_BASE_URL=simulator.base_url)
    terminal.until("left")

    stop(terminal)
    terminal.until("\x1b[?25h")

    assert terminal.finish() in (130, 143)
    assert "Traceback" not in terminal.shown
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_asked_for_and_not_echoed(tmp_path):
    terminal = auth(tmp_path, "add", "work", "--plan", "model-studio-intl")
    terminal.until("Key: ")
    time.sleep(0.2)
    terminal.press("sk-canary-1\n")
    terminal.until("qwen-auth test work")

    assert terminal.finish() == 0
    assert "canary" not in terminal.shown
    assert "sk-canary-1" in (tmp_path / ".qwen-gateway" / "accounts.json").read_text()


def test_an_abandoned_question_stores_nothing(tmp_path):
    terminal = auth(tmp_path, "add", "work", "--plan", "model-studio-intl")
    terminal.until("Key: ")
    time.sleep(0.2)
    terminal.press("\x03")
    terminal.until("stopped")

    assert terminal.finish() == 130
    assert list(tmp_path.iterdir()) == []
