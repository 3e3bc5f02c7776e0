"""What happened after the scores: clicks become units, and units succeed or fail."""
