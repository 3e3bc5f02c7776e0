"""What a run is told: one YAML file, checked whole; secrets by reference."""
