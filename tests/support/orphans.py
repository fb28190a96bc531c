"""Uploads that were begun at an S3 store and never ended, as boto3 lists them."""

from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from support.fault_proxy import Served
from support.s3_program import BUCKET


def unfinished(judge: Any, prefix: str) -> Counter[str]:
    """Count the uploads below a prefix that still wait for parts, by their key."""
    pages = judge.get_paginator("list_multipart_uploads").paginate(
        Bucket=BUCKET, Prefix=prefix
    )
    return Counter(
        each["Key"] for page in pages for each in page.get("Uploads", []) or []
    )


def begun_too_late(served: Iterable[Served]) -> Counter[str]:
    """Count the uploads, by key, that came when it was looked for them, or later.

    Nobody knew of them: whoever began them had hung up. Before an object is put
    together, and after its last part, all others of its key are looked for.
    """
    looked: set[str] = set()
    there: set[str] = set()
    late: Counter[str] = Counter()
    for one in list(served):
        path, _, query = one.target.partition("?")
        key, asked = path.removeprefix(f"/{BUCKET}/"), parse_qs(query)
        if one.method == "GET" and "prefix" in asked:
            looked.update(asked["prefix"])
        elif one.method == "PUT" and "partNumber" in asked:
            looked.discard(key)
        elif one.puts_it_there:
            there.add(key)
        elif one.begins_an_upload and one.late and key in looked | there:
            late[key] += 1
    return late
