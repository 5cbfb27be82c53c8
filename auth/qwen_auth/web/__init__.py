"""Accounts of kind `web`: a chat.qwen.ai session from the operator's own browser (upstream.md 3.1)."""
