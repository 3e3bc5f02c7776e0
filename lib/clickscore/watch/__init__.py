"""A look at a running stream, every second, on a terminal: from its tables and its metrics, without Spark."""
