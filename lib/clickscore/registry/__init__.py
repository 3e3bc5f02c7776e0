"""The life of a model version: registered, trusted, followed, compared, promoted."""
