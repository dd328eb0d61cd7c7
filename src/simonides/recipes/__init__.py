"""The literature as recipes: names of published systems, each a composition of parts; imports none until asked."""

from simonides.registry import Registry

RECIPES = Registry(
    "recipe",
    {
        "mem0": "simonides.recipes.mem0:Mem0",
        "mem0-graph": "simonides.recipes.mem0_graph:Mem0Graph",
        "mem0-additive": "simonides.recipes.mem0_additive:Mem0Additive",
        "d-mem": "simonides.recipes.dmem:DMem",
        "convomem": "simonides.recipes.convomem:ConvoMem",
        "zep": "simonides.recipes.zep:Zep",
        "a-mem": "simonides.recipes.a_mem:AMem",
        "memanto": "simonides.recipes.memanto:Memanto",
    },
)
"""Recipes by name. The default way of writing and recalling (docs/recall.md) is what no recipe gives."""
