"""What `--demo` needs: sample records, and a stand-in for Claude on this machine's loopback."""
