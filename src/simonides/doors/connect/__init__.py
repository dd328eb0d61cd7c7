"""Writes this memory into the settings of agents and takes it out again; leaves all else in them as it is."""
