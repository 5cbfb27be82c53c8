"""`python -m qwen_gateway.simulator`: run the simulator as a process of its own."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import click

from qwen_gateway.codec.json import dumps

from .oauth.mood import Portal
from .simulator import Simulator


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--tls", is_flag=True, help="Speak TLS, with HTTP/2, by a certificate made at start.")
@click.option("--tls-name", "tls_names", multiple=True, help="Another name for the certificate.")
@click.option("--no-http2", is_flag=True, help="Offer HTTP/1.1 only.")
@click.option("--pace", default=0.0, show_default=True, help="Seconds between the words of a stream.")
@click.option("--seed", default=0, show_default=True, help="Seed of the ids.")
@click.option("--max-streams", default=128, show_default=True, help="HTTP/2 streams of one connection.")
@click.option("--token-life", default=21_600.0, show_default=True, help="Seconds an OAuth access token lives.")
@click.option("--interval", default=5.0, show_default=True, help="Seconds between polls for an OAuth token.")
@click.option("--portal-closed", is_flag=True, help="Answer 401 at the portal, as since 2026-04-15.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the base URLs there, too.")
@click.option("--until-stdin-closes", is_flag=True, help="Stop when standard input ends.")
def main(
    *,
    host: str,
    port: int,
    tls: bool,
    tls_names: tuple[str, ...],
    no_http2: bool,
    pace: float,
    seed: int,
    max_streams: int,
    token_life: float,
    interval: float,
    portal_closed: bool,
    ready_file: Path | None,
    until_stdin_closes: bool,
) -> None:
    """Stand for Qwen on loopback, and print one line of JSON with the base URLs when ready."""
    simulator = Simulator(
        host=host,
        port=port,
        tls=tls,
        http2=not no_http2,
        tls_names=tls_names,
        pace=pace,
        seed=seed,
        max_streams=max_streams,
        token_life=token_life,
        interval=interval,
        portal=Portal(closed=portal_closed),
    )
    asyncio.run(_serve(simulator, ready_file, until_stdin_closes=until_stdin_closes))


async def _serve(simulator: Simulator, ready_file: Path | None, *, until_stdin_closes: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with simulator:
        line = dumps(
            {
                "base_url": simulator.base_url,
                "port": simulator.port,
                "ca_file": str(simulator.ca_file) if simulator.ca_file else None,
                "urls": simulator.urls(),
            }
        ).decode()
        click.echo(line)
        sys.stdout.flush()
        if ready_file is not None:
            part = ready_file.with_suffix(ready_file.suffix + ".part")
            part.write_text(line + "\n")
            part.replace(ready_file)
        if until_stdin_closes:
            loop.add_reader(sys.stdin.fileno(), _read, stop)
        await stop.wait()


def _read(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 65_536):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
