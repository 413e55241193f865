"""What stands between HTTP and the model: settings, request bodies, answers, errors, and a frame's way through."""
