"""Disks that break off: what a store's files look like after a crash at any write, and what failing writes do to it."""
