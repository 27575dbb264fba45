"""The suite ``bulk``: properties of a crystal at rest under each contestant."""
