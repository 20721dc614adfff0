"""Files below the lake's root that are no tables: work in progress and extracts; local or on s3://."""

from __future__ import annotations

from contextlib import suppress

from pyarrow import fs

from jobs.storage import arrow_store

WORK, EXTRACTS, ERASING = "_work", "_extracts", "_erasing"
PART = ".part"  # A file that is being written, or that a killed run did not end.


class Files:
    """Files below one folder of the lake."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._store, self._path = arrow_store(folder)

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole: under another name first, so that a killed run leaves no half file under its own."""
        self._store.create_dir(self._path, recursive=True)
        with self._store.open_output_stream(f"{self._path}/{name}{PART}") as stream:
            stream.write(content)
        self._store.move(f"{self._path}/{name}{PART}", f"{self._path}/{name}")

    def read(self, name: str) -> bytes | None:
        """The content of a file, None when it is not there."""
        if self._store.get_file_info(f"{self._path}/{name}").type != fs.FileType.File:
            return None
        with self._store.open_input_stream(f"{self._path}/{name}") as stream:
            return bytes(stream.read())

    def names(self) -> set[str]:
        """The files in the folder and the folders below it, by their way from it."""
        found = self._store.get_file_info(fs.FileSelector(self._path, recursive=True))
        return {info.path.removeprefix(f"{self._path}/") for info in found if info.is_file}

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        with suppress(FileNotFoundError):
            self._store.delete_file(f"{self._path}/{name}")

    def clear(self) -> None:
        """Delete the folder and everything in it."""
        if self._store.get_file_info(self._path).type != fs.FileType.NotFound:
            self._store.delete_dir(self._path)
