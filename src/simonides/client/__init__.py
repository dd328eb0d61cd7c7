"""`Client`: the verbs of `Memory` over a server's REST interface; knows no store.

    from simonides import Client

    with Client("http://127.0.0.1:7466", token) as memory:
        memory.add("I moved from Berlin to Lisbon.")
        memory.search("where did I move to?")

Needs nothing but the standard library: neither numpy nor a model is loaded.
"""

from simonides.client.client import Client

__all__ = ["Client"]
