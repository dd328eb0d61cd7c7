"""Lets `python -m simonides` be the same as `simonides`; knows nothing else."""

from simonides.doors.cli import main

if __name__ == "__main__":
    main()
