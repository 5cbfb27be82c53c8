"""Put calls into the words of whichever account is picked: one encoder (`engine.attempts`) per kind of call."""
