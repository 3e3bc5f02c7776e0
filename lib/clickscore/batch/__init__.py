"""Batch: scores a bounded range of records, or of clicks that are scored, and compares two versions."""
