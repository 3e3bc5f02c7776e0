"""The configuration of a run: one YAML file, checked as a whole; secrets by reference."""
