"""From a parsed call to an answer: accounts, attempts, time limits, delivery. Ordinary async code; no mitmproxy."""
