"""What `bench load` is made of: the clients, and the servers that they ask; the command itself lies beside it."""
