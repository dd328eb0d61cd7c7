"""Measures memory on public benchmark sets; an outside floor: no part of simonides imports it."""
