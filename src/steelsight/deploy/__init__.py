"""Export a trained run as a bundle whose outputs agree with the model's."""
