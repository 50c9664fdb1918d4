"""What binds the ports to a world: `local` to asyncio, SQLite, the project directory and claude-agent-sdk."""
