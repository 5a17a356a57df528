"""The page Quality: escape, overkill, reviewers and the certificate, from audit draws."""
