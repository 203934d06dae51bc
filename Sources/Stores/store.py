"""Moves files between this machine and an object store, for Loopy.

Reads a request a line from standard input, and writes an answer a line to standard output, both JSON:

    {"op": "list", "url": URL}                              {"files": [{"name", "bytes", "modified", "tag"}]}
    {"op": "get", "files": [[URL, PATH, BYTES], ...]}       {}
    {"op": "put", "path": PATH, "url": URL, "first": BOOL}  {"made": BOOL}
    {"op": "remove", "urls": [URL, ...]}                    {}

An answer to what cannot be done is {"error": TEXT, "missing": BOOL}: whether it is for want of the file. What may
pass by itself is tried again for LOOPY_STORE_PATIENCE seconds (300).

URLs are fsspec's: s3://, gs://, abfs://, ... Its packages (s3fs, gcsfs, adlfs) take credentials and addresses from
where their users have them: AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL, say.
"""

import errno
import json
import os
import signal
import sys
import time

patience = float(os.environ.get("LOOPY_STORE_PATIENCE", "300"))
permanent = (FileNotFoundError, PermissionError, ImportError, ValueError, NotImplementedError)


class Truncated(OSError):
    pass


def located(url):
    import fsspec

    store, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    if hasattr(store, "auto_mkdir"):
        # A store that is a folder must have folders.
        store.auto_mkdir = True
    return store, path


def may_pass(error):
    if isinstance(error, permanent) or "Credential" in type(error).__name__:
        return False
    return getattr(error, "errno", None) not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def patiently(action):
    """Does what may fail for reasons that pass."""
    deadline, delay = time.monotonic() + patience, 0.5
    while True:
        try:
            return action()
        except Exception as error:
            if not may_pass(error) or time.monotonic() + delay > deadline:
                raise
        time.sleep(delay)
        delay = min(2 * delay, 30)


def seconds(entry):
    for key in ("LastModified", "last_modified", "updated", "mtime", "created"):
        value = entry.get(key)
        if value is None:
            continue
        if isinstance(value, str):
            from datetime import datetime

            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return value if isinstance(value, (int, float)) else value.timestamp()
    return 0.0


def list_files(url):
    store, path = located(url)
    files = []
    for name, entry in patiently(lambda: store.find(path, detail=True)).items():
        # What web consoles make for a folder is no file, and no name leads out of the folder.
        if name.endswith("/") or ".." in name[len(path):].split("/"):
            continue
        try:
            # Some say nothing of a file that is asked for by its own name.
            entry = entry or store.info(name)
        except FileNotFoundError:
            continue
        modified = seconds(entry)
        tag = entry.get("ETag") or entry.get("etag") or f"{entry['size']}-{modified}"
        files.append({
            "name": name[len(path):].lstrip("/"), "bytes": entry["size"], "modified": modified,
            "tag": str(tag).strip('"'),
        })
    return {"files": sorted(files, key=lambda file: file["name"])}


def get_files(files):
    """Whole files or none: each comes under another name first."""
    store = located(files[0][0])[0]
    sources = [located(url)[1] for url, _, _ in files]
    paths = [path for _, path, _ in files]
    partial = [f"{path}.partial-{os.getpid()}" for path in paths]

    sizes = [size for _, _, size in files]

    def fetch():
        for index, source in enumerate(sources):
            if sizes[index] is None:
                sizes[index] = store.info(source)["size"]
        if len(files) == 1:
            store.get_file(sources[0], partial[0])
        else:
            store.get(sources, partial)
        for index, path in enumerate(partial):
            found, size = os.path.getsize(path), sizes[index]
            if found != size:
                # It may have become another since it was listed.
                sizes[index] = None
                raise Truncated(f"{found} of {size} bytes came")

    try:
        patiently(fetch)
        for path, whole in zip(partial, paths):
            os.replace(path, whole)
    finally:
        for path in partial:
            if os.path.exists(path):
                os.unlink(path)
    return {}


def put_file(path, url, first):
    store, name = located(url)
    if not first:
        patiently(lambda: store.put_file(path, name))
        return {"made": True}
    with open(path, "rb") as file:
        data = file.read()

    def make():
        try:
            store.pipe_file(name, data, mode="create")
            return True
        except FileExistsError:
            # Ours, where the answer to an earlier try was lost; another's, which may be gone by now.
            try:
                return store.cat_file(name) == data
            except FileNotFoundError:
                return False

    return {"made": patiently(make)}


def remove_files(urls):
    for url in urls:
        store, name = located(url)
        try:
            patiently(lambda: store.rm_file(name))
        except FileNotFoundError:
            pass
    return {}


def answer(request):
    operation = request.pop("op")
    if operation == "list":
        return list_files(**request)
    if operation == "get":
        return get_files(**request)
    if operation == "put":
        return put_file(**request)
    return remove_files(**request)


def main():
    # Ctrl-C is for the one who asks: there may be claims to give back.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What has come in part is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except ImportError as error:
            reply = {
                "error": f"{error}; Python's fsspec reads object stores, with s3fs, gcsfs or adlfs: install them, "
                "or name a Python that has them in LOOPY_PYTHON",
                "missing": False,
            }
        except Exception as error:
            missing = isinstance(error, FileNotFoundError)
            reply = {"error": f"{type(error).__name__}: {error}", "missing": missing}
        print(json.dumps(reply), flush=True)


main()
