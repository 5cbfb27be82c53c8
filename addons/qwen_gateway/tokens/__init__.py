"""How many tokens a prompt has, before an upstream says so. Knows no mitmproxy; opens no connection, ever."""
