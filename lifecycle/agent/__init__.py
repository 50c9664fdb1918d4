"""The coding agent behind a port: the only package that knows claude_agent_sdk. Importing it loads nothing."""
