"""The fault suite: the real job, as its own process over real sources, survives what is done to it."""
