"""``ding-cls config``: show, diff and lint, and the rules of lint."""
