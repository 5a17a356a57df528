"""The Python API, `import steelsight as ss`: a call opens what it is given and asks one room below."""
