"""A shop from a sample of its records: click schema, mapping, features and configuration, guessed and explained."""
