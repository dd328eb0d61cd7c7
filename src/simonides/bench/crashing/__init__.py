"""Processes that write one store and are killed, and the proof that nothing was lost; see `bench.crash`."""
