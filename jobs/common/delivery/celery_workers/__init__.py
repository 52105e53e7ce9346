"""Delivery by Celery: workers, on as many machines as you like, send what a run has queued.

PostgreSQL holds the queue and is the truth; what travels through Redis is the id of a request.
"""
