"""The microservice: the scorer of the stream behind HTTP, in a process without Spark and Java."""
