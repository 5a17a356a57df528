"""Work on several computers by Ray: parts of a scan, and trainings. The only room that imports Ray."""
