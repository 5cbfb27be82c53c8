"""Kind `web`: chat.qwen.ai behind a browser session (upstream.md section 3). Pure: requests and bytes, no I/O."""
