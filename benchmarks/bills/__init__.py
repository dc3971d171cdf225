"""The business that lists are measured with: a module of its own, so that no rule of a real one bears on figures."""
