"""What a config will do, looked at before it is trained; nothing is written but the file that is named."""
