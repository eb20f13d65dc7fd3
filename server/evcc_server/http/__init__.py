"""REST, WebSocket, OpenAPI and the page."""
