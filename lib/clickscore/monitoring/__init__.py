"""How a run is doing: progress lines, summary, health, metrics, lag."""
