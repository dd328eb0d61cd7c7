"""The door for MCP clients: tools, prompts and resources over the store; knows no rule of memory."""
