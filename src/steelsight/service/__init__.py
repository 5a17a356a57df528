"""The service beside the line: stations that judge what arrives and write it into the ledger."""
