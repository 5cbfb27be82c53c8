"""The steps by which the schema came about, one file each, applied by Alembic."""
