"""The skill's scripts; what they offer is the `lifecycle` package's."""
