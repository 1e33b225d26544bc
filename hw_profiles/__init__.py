"""Device models and installations as data, with their schema."""
