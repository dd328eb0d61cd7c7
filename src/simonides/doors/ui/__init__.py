"""The page: people look at memories in a browser. Views are plain functions from a visit to an answer."""
