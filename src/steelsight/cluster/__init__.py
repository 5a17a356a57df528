"""Several machines by Ray: parts of a scan on the nodes of a cluster. The only importer of Ray."""
