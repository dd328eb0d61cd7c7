"""The literature as recipes: names of published systems, each a composition of parts; imports none until asked."""

from simonides.registry import Registry

RECIPES = Registry("recipe")
"""Recipes by name. The default way of writing and recalling (docs/recall.md) is what no recipe gives."""
