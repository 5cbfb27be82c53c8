"""`python -m qwen_gateway`: the command `qwen-gateway`."""

from qwen_gateway.cli import run

run()
