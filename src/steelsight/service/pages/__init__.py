"""The console: server-rendered pages in English and German, without inline scripts and without other hosts."""
