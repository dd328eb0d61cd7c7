"""Drop-ins: the interfaces of other libraries over one store, each from a module of its own; knows no floor above."""
