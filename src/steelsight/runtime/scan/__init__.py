"""Resumable scans of files, folders and archives."""
