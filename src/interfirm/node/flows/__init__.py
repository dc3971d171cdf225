"""Durable flows: straight code that survives a kill at any instruction and resumes, once."""
