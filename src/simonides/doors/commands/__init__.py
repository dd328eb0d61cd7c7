"""One module for each family of commands; they are imported when they run, never before."""
