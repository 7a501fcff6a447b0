"""`python -m transfer`."""

from transfer.cli.group import main

main()
