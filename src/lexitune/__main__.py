"""`python -m lexitune` is `lexitune`."""

from lexitune.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
