"""Who is told when a ref is consumed or a claim's proof is asked for."""
