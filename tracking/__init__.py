"""Faces followed from frame to frame, by the service for a stream and by the clients for a video."""
