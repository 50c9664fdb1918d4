"""Programs that embed the engine. Each is whole, runs as it is, and is run by the tests."""
