"""`python -m turbolens.filter.training.evaluation`."""

from .command import main

if __name__ == "__main__":
    main()
