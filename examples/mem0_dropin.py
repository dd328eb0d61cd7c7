"""mem0's own quickstart, with one line changed: no key, no model, no server."""

import tempfile
from pathlib import Path

from simonides.compat.mem0 import Memory  # was: from mem0 import Memory

with (
    tempfile.TemporaryDirectory() as folder,
    Memory.from_config({"path": Path(folder) / "memory.db"}) as memory,
):
    said = [
        {"role": "user", "content": "I'm a vegetarian, and I am allergic to nuts."},
        {"role": "assistant", "content": "Noted: no meat and no nuts."},
    ]
    memory.add(said, user_id="ana", metadata={"topic": "food"})
    memory.add("The train to Porto leaves at seven.", user_id="ana", metadata={"topic": "travel"})

    # both generations of mem0's calls
    old = memory.search("what am I allergic to?", user_id="ana", limit=1)
    new = memory.search(
        "what am I allergic to?", filters={"user_id": "ana", "topic": {"in": ["food"]}}, top_k=1
    )
    assert old["results"][0]["id"] == new["results"][0]["id"]
    print(old["results"][0]["memory"])

    found = str(old["results"][0]["id"])
    memory.update(found, "I am allergic to nuts, and I eat fish again.")
    memory.delete(found)
    print([(row["event"], row["new_memory"]) for row in memory.history(found)])
