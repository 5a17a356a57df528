"""The settings of the service: flags, environment, one TOML file, defaults."""
