"""Where a side spends its time: the same measure once more, under cProfile."""

import io
import pstats
import signal
import sys
import tempfile
from pathlib import Path

from benchmark.measures import Load, Settings, measure_json, measure_stream
from benchmark.sides import BIN, SIDES, Running

# Runs the function behind a command as the command would. SIGHUP begins the profile, so that starting up is left out
# (SIGUSR1 is taken by mitmproxy); SIGTERM makes mitmproxy shut down in good order, so the function returns and the
# profile is written.
STUB = """
import cProfile, importlib, signal, sys
module, _, function = sys.argv[1].partition(":")
output, sys.argv = sys.argv[2], [function, *sys.argv[3:]]
main = getattr(importlib.import_module(module), function)
profile = cProfile.Profile()
signal.signal(signal.SIGHUP, lambda *_: profile.enable())
try:
    main()
finally:
    profile.disable()
    profile.dump_stats(output)
"""

TOP = 30  # functions


def profile(load: Load, upstream: int, name: str, measure: str, settings: Settings) -> str:
    """The functions in which a side spent most, while one measure ran."""
    side = SIDES[name]
    python = BIN / "python" if BIN.exists() else Path(sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "profile"
        wrap = [str(python), "-c", STUB, side.program[1], str(output)]
        with Running(side, upstream, wrap) as running:
            assert running.process
            running.process.send_signal(signal.SIGHUP)
            {"json": measure_json, "stream": measure_stream}[measure](load, running, settings)
        if not output.exists():
            return f"{name}: no profile was written\n"
        text = io.StringIO()
        pstats.Stats(str(output), stream=text).strip_dirs().sort_stats("tottime").print_stats(TOP)
    return f"{name}, {measure}: functions by their own time\n{text.getvalue().strip()}\n"
