"""The kinds of Qwen service behind one interface. Pure: encode a call, decode an answer, judge a failure."""
