"""The doctor: data gathered from a folder, a table or a config, looked at, and what was found shown."""
