"""What has flowed, for whom and at what price."""
