"""Delta tables, their schemas, the fence that lets one run write, and the checkpoint."""
