"""What a first look needs: sample records, and a stand-in for Claude that answers on loopback."""
