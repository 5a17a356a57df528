"""The Python API: `import steelsight as ss`. It is thin: a call opens, asks one room below, wraps the result."""
