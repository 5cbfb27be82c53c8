"""The commands of `qwen-auth`, one conversation with the terminal per file."""
