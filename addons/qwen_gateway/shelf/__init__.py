"""What clients have stored and ask for again: responses, conversations, chat completions. Stands in the ledger."""
