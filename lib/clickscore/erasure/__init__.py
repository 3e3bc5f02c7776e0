"""Erasure: rows of visitors, and old ones, leave the tables, with a ledger of what is missing, and a certificate."""
