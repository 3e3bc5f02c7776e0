"""The running job: queries over the source, micro-batches, scoring in Python workers, exactly-once writes."""
