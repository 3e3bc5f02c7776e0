"""A trial before a run: what a configuration makes of a sample of records."""
