"""Runs on disk: the store, the workers that train what it queues, studies, Ray."""
