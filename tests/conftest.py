"""What every test has: the referee's line at the end of a run."""

pytest_plugins = ["tests.referee.plugin"]
