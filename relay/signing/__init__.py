"""DKIM (RFC 6376, RFC 8463): which header fields are signed, over which bytes, with which keys.

Knows nothing of SMTP, quota or the config file. Read `signer.py` first, then `choice.py`
(the header fields), `canonical.py` (the bytes), `keys.py` (the private keys); `generate.py`
and `record.py` make new keys and the DNS records that publish them.
"""
