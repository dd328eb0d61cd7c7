"""The verbs over memories: pure, or taking a Protocol; they propose changes and never write."""
