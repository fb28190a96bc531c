"""Uploads that were begun at an S3 store and never ended, as boto3 lists them."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

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
    """Count the uploads, by key, that reached the store when the object was there.

    Nobody knew of them: whoever began them had hung up, and their like was proved.
    """
    there: set[str] = set()
    late: Counter[str] = Counter()
    for one in list(served):
        key = one.target.partition("?")[0].removeprefix(f"/{BUCKET}/")
        if one.puts_it_there:
            there.add(key)
        elif one.begins_an_upload and one.late and key in there:
            late[key] += 1
    return late
