"""Drop-ins: the interfaces of other libraries over one store, each imported from its own module; knows no floor above."""
