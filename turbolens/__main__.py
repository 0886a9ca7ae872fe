"""`python -m turbolens`: the same as the command `turbolens`."""

from turbolens.pipelines.cli import main

if __name__ == "__main__":
    main()
