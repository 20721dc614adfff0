"""Files below the lake's root that are no tables: work in progress and extracts; local or on s3://."""

from __future__ import annotations

import os

from pyarrow import fs


class Files:
    """Files below one folder of the lake."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        if folder.startswith("s3://"):
            self._store, self._path = fs.S3FileSystem(**_s3_options()), folder.removeprefix("s3://")
        else:
            self._store, self._path = fs.LocalFileSystem(), folder

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole: under another name first, so that a killed run leaves no half file under its own."""
        self._store.create_dir(self._path, recursive=True)
        with self._store.open_output_stream(f"{self._path}/{name}.part") as stream:
            stream.write(content)
        self._store.move(f"{self._path}/{name}.part", f"{self._path}/{name}")

    def read(self, name: str) -> bytes | None:
        """The content of a file, None when it is not there."""
        if self._store.get_file_info(f"{self._path}/{name}").type != fs.FileType.File:
            return None
        with self._store.open_input_stream(f"{self._path}/{name}") as stream:
            return bytes(stream.read())

    def clear(self) -> None:
        """Delete the folder and everything in it."""
        if self._store.get_file_info(self._path).type != fs.FileType.NotFound:
            self._store.delete_dir(self._path)


def _s3_options() -> dict[str, str]:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    options = {"region": os.environ.get("AWS_REGION", "us-east-1")}
    if endpoint:
        scheme, _, host = endpoint.partition("://")
        options |= {"endpoint_override": host, "scheme": scheme}
    return options
