"""What calls the service, over HTTP and WebSocket alone: a Python client, and the command `emotion` built on it.

`emotion_client` is the one import that a program needs.
"""
