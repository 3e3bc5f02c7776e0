"""A model behind an HTTP endpoint, as another kind of model behind ``predict``; its client runs in Python workers."""
