"""Who a node is: certificates with their checks, the development authority, and the encrypted key store."""
