"""Send files with boto3's own transfer manager: a peer in `sync.py`.

python _boto3_copy.py ENDPOINT BUCKET PREFIX AT-A-TIME FILE…
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3


def main(endpoint: str, bucket: str, prefix: str, most: str, *files: str) -> None:
    """Send each file as boto3 does unless it is told otherwise."""
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")

    def send(file: str) -> None:
        client.upload_file(file, bucket, prefix + Path(file).name)

    with ThreadPoolExecutor(int(most)) as pool:
        list(pool.map(send, files))


if __name__ == "__main__":
    main(*sys.argv[1:])
