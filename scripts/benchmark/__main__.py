"""Measure the gateway against a bare mitmproxy, all sides interleaved in one run, and print ratios.

A benchmark, not a test: figures depend on the machine and on who else uses it, ratios much less. Everything
listens on loopback, and everything that is started is ended.
"""

import argparse
import json
import os
import resource
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from benchmark.measures import MEASURES, QUICK, Load, Round, Settings
from benchmark.profiling import profile
from benchmark.report import Results, report, verdicts
from benchmark.sides import SIDES, USUAL, Running, harness

SETTLE = 4.0  # seconds in which a side finishes what it begins after its start
QUIET = 0.5  # load average above which others are at work


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: is it working at all?")
    parser.add_argument("--only", metavar="NAMES", help=f"of {','.join(MEASURES)}")
    parser.add_argument("--sides", metavar="NAMES", help=f"of {','.join(SIDES)}; usually {','.join(USUAL)}")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each side has its turn (3)")
    parser.add_argument("--seconds", type=float, metavar="S", help="of each stretch that is measured (4)")
    parser.add_argument("--calls", type=int, metavar="N", help="of the measures of memory (20,000)")
    parser.add_argument("--soak", metavar="STREAMS,CHUNKS,MS,RAMP", help="of the soak measure (1000,200,100,10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every round")
    parser.add_argument("--profile", action="store_true", help="also say where the gateway spends its time")
    parser.add_argument(
        "--python", default=sys.executable, help="of upstream and load generator (one with uvloop is faster)"
    )
    return parser.parse_args()


def settings_of(options: argparse.Namespace) -> Settings:
    """How long and how much."""
    settings = QUICK if options.quick else Settings()
    if options.seconds:
        settings = replace(settings, seconds=options.seconds)
    if options.calls:
        settings = replace(settings, calls=options.calls)
    if options.soak:
        streams, chunks, pace, ramp = options.soak.split(",")
        settings = replace(settings, soak=(int(streams), int(chunks), int(pace), float(ramp)))
    return settings


def chosen(names: str | None, usual: list[str], known: dict[str, object]) -> list[str]:
    """Names from the command line, checked."""
    picked = names.split(",") if names else usual
    if unknown := [name for name in picked if name not in known]:
        sys.exit(f"scripts/bench: no such name: {', '.join(unknown)}; there are {', '.join(known)}")
    return picked


def measure(
    name: str, sides: list[str], *, rounds: int, upstream: int, load: Load, settings: Settings
) -> dict[str, list[Round]]:
    """One measure on all its sides: A B C D, A B C D, ..."""
    function, senseless, repeated = MEASURES[name]
    results: dict[str, list[Round]] = {}
    with ExitStack() as stack:
        running = [stack.enter_context(Running(SIDES[s], upstream)) for s in sides if s not in senseless]
        time.sleep(SETTLE)
        for turn in range(rounds if repeated else 1):
            for one in running:
                began = time.monotonic()
                print(f"{name}, round {turn + 1}, {one.side.name} ...", end="", flush=True, file=sys.stderr)
                results.setdefault(one.side.name, []).append(function(load, one, settings))
                print(f" {time.monotonic() - began:.0f} s", file=sys.stderr)
    return results


def main() -> int:
    """Run it; the exit status says whether every measured budget is kept and nothing went wrong."""
    options = arguments()
    settings = settings_of(options)
    rounds = options.rounds or (1 if options.quick else 3)
    measures = chosen(options.only, list(MEASURES), dict(MEASURES))
    sides = chosen(options.sides, USUAL, dict(SIDES))
    if missing := [name for name in sides if not SIDES[name].exists]:
        print(f"left out, there is nothing to start yet: {', '.join(missing)}", file=sys.stderr)
        sides = [name for name in sides if name not in missing]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))

    results: Results = {}
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    with harness("upstream", options.python) as upstream, harness("load", options.python) as generator:
        assert upstream.stdout
        port, load = int(upstream.stdout.readline()), Load(generator)
        for name in measures:
            results[name] = measure(name, sides, rounds=rounds, upstream=port, load=load, settings=settings)
        print(report(results))
        if busy > QUIET:
            print(
                f"\nThe machine was busy with other work before this run (load {busy:.1f}): trust ratios, not figures."
            )
        if options.profile:
            for side in [s for s in sides if s in ("script", "launcher", "relay")][-1:]:
                for name in ("json", "stream"):
                    print("\n" + profile(load, port, side, name, settings))
    if options.json:
        plain = {m: {s: [vars(r) for r in rs] for s, rs in sides.items()} for m, sides in results.items()}
        options.json.write_text(json.dumps({"settings": asdict(settings), "results": plain}, indent=1))
    wrong = any(r.problems for sides in results.values() for rs in sides.values() for r in rs)
    return int(wrong or not all(kept for *_, kept in verdicts(results)))


if __name__ == "__main__":
    sys.exit(main())
