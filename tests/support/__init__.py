"""What the end-to-end tests share: a server of their own, functions, strict clients."""
