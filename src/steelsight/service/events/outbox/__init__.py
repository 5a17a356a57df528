"""Deliveries to webhooks and MQTT brokers: at least once, in each writer's order, from the ledger itself."""
