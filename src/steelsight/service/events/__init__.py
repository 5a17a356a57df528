"""What the ledger receives, sent on: event streams for pages and programs, webhooks, MQTT."""
