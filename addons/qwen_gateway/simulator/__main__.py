"""Run the simulator: `python -m qwen_gateway.simulator --help`."""

from .cli import main

main(prog_name="python -m qwen_gateway.simulator")
