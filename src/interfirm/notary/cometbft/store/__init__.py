"""The state of a cluster as a store that can prove what it holds: a trie for each space, a root over all of them."""
