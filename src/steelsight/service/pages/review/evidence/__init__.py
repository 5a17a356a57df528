"""Evidence beside a verdict that needs the engine: covered places and the nearest reviewed sheets."""
