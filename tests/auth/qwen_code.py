"""A script that does what qwen-code does with its credentials file, and nothing that it does not (upstream.md 2.5).

Independent of the code under test, on purpose. `python qwen_code.py DIRECTORY TOKEN_URL` forces refreshes until there
is a file `enough` beside the directory. Two of its rough edges are kept: a forced refresh does not ask whether someone
else has just refreshed, and a lock is unlinked without a look at whose it is.
"""

import json
import os
import random
import sys
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

CLIENT_ID = "f0304373b74a44d2b584a3fb70ca9e56"


def acquire(lock):
    wait = 0.1
    for _ in range(20):
        try:
            descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            try:
                if time.time() - lock.stat().st_mtime > 10:
                    aside = lock.with_name(f"{lock.name}.stale.{uuid.uuid4()}")
                    lock.rename(aside)
                    aside.unlink()
                    continue
            except FileNotFoundError:
                pass
            time.sleep(wait)
            wait = min(wait * 1.5, 2.0)
            continue
        os.write(descriptor, str(uuid.uuid4()).encode())
        os.close(descriptor)
        return
    raise SystemExit("lock timeout")


def refresh(path, token_url):
    lock = path.with_suffix(".lock")
    acquire(lock)
    try:
        credentials = json.loads(path.read_text())
        form = {"grant_type": "refresh_token", "refresh_token": credentials["refresh_token"], "client_id": CLIENT_ID}
        with urllib.request.urlopen(token_url, urllib.parse.urlencode(form).encode()) as response:
            answer = json.load(response)
        credentials["access_token"] = answer["access_token"]
        credentials["refresh_token"] = answer.get("refresh_token") or credentials["refresh_token"]
        credentials["resource_url"] = answer.get("resource_url")
        credentials["expiry_date"] = int(time.time() * 1000) + answer["expires_in"] * 1000
        temporary = path.with_name(f"{path.name}.tmp.{uuid.uuid4()}")
        temporary.write_text(json.dumps(credentials, indent=2))
        temporary.chmod(0o600)
        temporary.rename(path)
    finally:
        lock.unlink(missing_ok=True)


if __name__ == "__main__":
    while not Path(sys.argv[1]).with_name("enough").exists():
        refresh(Path(sys.argv[1]) / "oauth_creds.json", sys.argv[2])
        time.sleep(random.uniform(0, 0.2))
