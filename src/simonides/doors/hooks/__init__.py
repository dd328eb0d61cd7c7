"""What an agent's hooks call: recall into a session, capture out of it; silent, quick, and never in the way."""
