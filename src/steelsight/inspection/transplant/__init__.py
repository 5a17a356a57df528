"""One model with the weights of another, part by part."""
