"""qwen-gateway: any OpenAI client on Qwen, as a mitmproxy addon."""

__version__ = "0.1.0"
