"""How much one tenant, one caller and one address may ask for, so that a noisy one hurts nobody else."""
