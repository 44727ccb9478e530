"""Is the stock model good enough on these queries?"""
