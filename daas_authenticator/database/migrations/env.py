"""Run by Alembic for `Database.migrate`, with the connection that it gave."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # Somebody may keep other tables in the same database.
    version_table="daas_people_version",
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
