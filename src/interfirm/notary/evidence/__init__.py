"""Evidence: proofs that somebody signed two things that exclude each other."""
