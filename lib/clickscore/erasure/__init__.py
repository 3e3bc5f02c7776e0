"""Erasure: the rows of visitors leave the tables, a ledger keeps what is missing since, a certificate proves it."""
