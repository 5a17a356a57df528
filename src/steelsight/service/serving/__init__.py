"""`steelsight serve`: opens the parts of a service, runs the web server, keeps a station process alive."""
