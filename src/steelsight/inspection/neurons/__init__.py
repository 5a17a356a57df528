"""What activates single neurons: synthetic images, real crops, statistics."""
