"""`python -m wannjax` is the `wannjax` command."""

from wannjax.cli import command

command()
