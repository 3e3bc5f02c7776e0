"""Whether scores and features are still those that a model version was made for."""
