"""The catalog's networks run without autograd: one stored forward pass, backward under any rule."""
