"""How the monitor reaches Kafka: who it is to the brokers, and what a person is told when they refuse it."""
