"""What has no opinion about learning: files, seeds, clocks, log lines. It must not know any other room."""
