"""The claims of the study, each tested on the data at hand."""
