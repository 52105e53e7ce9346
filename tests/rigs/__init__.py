"""What tests stand on: installations, sites, relays, crash rigs. No test stands here."""
