"""What Alembic runs: the steps, on the connection that it is handed."""

from alembic import context

from qwen_gateway.ledger.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
