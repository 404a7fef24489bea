"""Style coordinates that move the classifier: found over many images, shown, and used to explain single images."""
