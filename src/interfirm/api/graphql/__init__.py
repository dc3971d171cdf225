"""GraphQL, generated from the templates that a node has loaded."""
