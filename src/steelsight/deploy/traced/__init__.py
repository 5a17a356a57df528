"""Features of any network as ONNX nodes: torch's operators as they run, and a rule for each."""
