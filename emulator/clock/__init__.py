"""Virtual time: the event kernel and an asyncio loop that runs on it."""
