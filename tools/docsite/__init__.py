"""Documentation site: its pages, what links and code blocks they hold, and the checks of the built site."""
