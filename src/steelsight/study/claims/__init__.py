"""The claims of the study, each judged on the data at hand."""
