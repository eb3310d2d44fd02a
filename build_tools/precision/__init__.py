"""The number formats that trunk and branches compute in: try them, check them, choose."""
