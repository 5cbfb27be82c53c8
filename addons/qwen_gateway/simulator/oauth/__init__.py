"""The login of qwen-code and what it opened: authorization server, portal, web search (upstream.md 2)."""
