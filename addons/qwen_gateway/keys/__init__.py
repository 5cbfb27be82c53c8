"""The gateway's own keys: what each may, what it may use up, and what it has used. No I/O.

A key is `sk-gw-ID-SECRET`: the ID finds it, and the hash of the whole is compared in constant time. Keys with limits
work on allowances that are fetched from the ledger in portions (`purse`), so that limits hold whatever number of calls
and gateways use them up, and most calls need no database.
"""
