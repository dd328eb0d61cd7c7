from collections.abc import Mapping, Sequence

def leiden(
    edges: Sequence[tuple[str, str, float]],
    starting_communities: Mapping[str, int] | None = None,
    resolution: float = 1.0,
    randomness: float = 0.001,
    iterations: int = 1,
    use_modularity: bool = True,
    seed: int | None = None,
    trials: int = 1,
) -> tuple[float, dict[str, int]]: ...
