"""Work on several computers by Ray: the only room that imports it."""
