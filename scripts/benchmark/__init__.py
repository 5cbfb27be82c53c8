"""A benchmark of the gateway: every side measured in turn in one run, compared by ratios."""
