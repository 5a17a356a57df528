"""The verbs below `steelsight shortcuts`."""
