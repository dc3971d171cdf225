"""REST over HTTP, described by OpenAPI: generated from the templates that a node has loaded."""
