"""What a config will do, looked at before anything is trained."""
