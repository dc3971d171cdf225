"""The rules of EN 16931-1 section 6.4 with those of its UBL syntax that the semantic model can show."""
