"""The REST server: the verbs as resources under /v1; what is here loads FastAPI, so nothing imports it early."""
