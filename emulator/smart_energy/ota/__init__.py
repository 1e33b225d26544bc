"""OTA upgrade: files, messages, and the machines of client and server."""
