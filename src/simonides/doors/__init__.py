"""The ways in and out: parse, call `Memory`, print; the only floor that reads the environment."""
