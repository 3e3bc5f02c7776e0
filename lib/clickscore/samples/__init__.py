"""Before a run: what a configuration would make of a sample of records."""
