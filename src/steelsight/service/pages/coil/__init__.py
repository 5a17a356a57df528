"""The pages Coils: a list, a map with the defects of one coil, and two coils beside each other."""
