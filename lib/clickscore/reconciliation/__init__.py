"""Audit and replay: every record is in exactly one row, and rejected ones get a second chance."""
