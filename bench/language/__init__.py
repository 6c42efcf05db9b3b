"""Language: models that write text, in this process or behind a URL, and their prompts."""
