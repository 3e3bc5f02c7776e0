"""The jobs: spark-submit runs each as a file; the command `clickscore` has each as a subcommand."""
