"""Finished work and known truth come in, numbers, tables and contact sheets go out."""
