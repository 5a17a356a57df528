"""The console: server-rendered pages in English and German, without inline scripts and other hosts."""
