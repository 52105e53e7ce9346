"""Will cron start it tonight? The crontab, its lines, its clock, its daemon."""
