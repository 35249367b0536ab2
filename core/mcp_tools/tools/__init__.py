"""The tools. Each is thin: arguments in, a service called, an answer out."""
