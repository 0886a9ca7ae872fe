"""`python -m turbolens.filter.training.evaluation`."""

from .command import main

main()
