"""`python -m bakeoff.cli`."""

from bakeoff.cli import main

main()
