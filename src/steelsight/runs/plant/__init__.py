"""What is done with a bundle and sheets that may have to be generated first. Free of torch."""
