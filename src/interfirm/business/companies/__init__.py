"""Who the firms are: their facts, their standing with a registrar, and the bank accounts they announce."""
