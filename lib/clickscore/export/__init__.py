"""A registered model leaves the registry: one folder with all that a program needs to score with it."""
