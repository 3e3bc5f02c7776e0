"""Audit and replay: checks that every record is in exactly one row, and scores rejected records again."""
