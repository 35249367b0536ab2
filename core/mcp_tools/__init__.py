"""The tools, resources and prompts of the shop, and the shapes of their answers."""
