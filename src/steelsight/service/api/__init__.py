"""The HTTP API: the app, its error envelope, its middleware and its routes."""
