"""What is stored: files become documents, documents become passages, passages become indexes."""
