"""Where clicks come from: a landing folder, Kafka topics, a Delta table."""
