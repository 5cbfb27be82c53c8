"""What every test has: the referee's line at the end of a run."""

from hypothesis import settings

pytest_plugins = ["tests.referee.plugin"]

# How long an example takes says more about the machine than about the code.
settings.register_profile("gateway", deadline=None)
settings.load_profile("gateway")
