"""`IArtifactStorage`: bytes by the hash of their content."""

import asyncio
import hashlib
import os
import stat
import time
from pathlib import Path

import pytest

from chatflow_jupyter.domain.errors import InvalidInput, NotFound, StoreDamaged
from chatflow_jupyter.domain.ids import Sha256, TenantId
from chatflow_jupyter.ports.artifact_storage import IArtifactStorage
from tests.contract.making import LOCAL, OTHER

CONTENT = b"three\x00bytes" * 1000
HASH = Sha256(hashlib.sha256(CONTENT).hexdigest())
MIB = 1024 * 1024


async def read(storage: IArtifactStorage, sha256: Sha256, tenant_id: TenantId = LOCAL) -> list[bytes]:
    return [piece async for piece in storage.stream(tenant_id, sha256)]


@pytest.mark.parametrize("content", [b"", b"x", CONTENT, bytes(3 * MIB + 1)])
async def test_put_returns_hash_and_size_of_a_files_bytes(
    artifact_storage: IArtifactStorage, tmp_path: Path, content: bytes
) -> None:
    source = tmp_path / "source"
    source.write_bytes(content)
    stored = await artifact_storage.put(LOCAL, source)
    assert (stored.sha256, stored.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert b"".join(await read(artifact_storage, stored.sha256)) == content
    assert source.read_bytes() == content


async def test_put_bytes_stores_like_put(artifact_storage: IArtifactStorage) -> None:
    stored = await artifact_storage.put_bytes(LOCAL, CONTENT)
    assert (stored.sha256, stored.size_bytes) == (HASH, len(CONTENT))
    assert b"".join(await read(artifact_storage, HASH)) == CONTENT


@pytest.mark.parametrize("kind", ["folder", "absent", "fifo", "device"])
async def test_a_source_that_is_no_regular_file_is_refused(
    artifact_storage: IArtifactStorage, tmp_path: Path, kind: str
) -> None:
    source = Path("/dev/zero") if kind == "device" else tmp_path / "source"
    if kind == "folder":
        source.mkdir()
    elif kind == "fifo":
        os.mkfifo(source)
    with pytest.raises(InvalidInput):
        await artifact_storage.put(LOCAL, source)


async def test_the_same_bytes_stored_twice_are_one_object(artifact_storage: IArtifactStorage) -> None:
    first, second = await asyncio.gather(*(artifact_storage.put_bytes(LOCAL, CONTENT) for _ in range(2)))
    assert first == second
    await artifact_storage.delete(LOCAL, HASH)
    assert not await artifact_storage.exists(LOCAL, HASH)


async def test_tenants_never_share_objects(artifact_storage: IArtifactStorage) -> None:
    await artifact_storage.put_bytes(LOCAL, CONTENT)
    assert not await artifact_storage.exists(OTHER, HASH)
    with pytest.raises(NotFound):
        await read(artifact_storage, HASH, OTHER)
    await artifact_storage.put_bytes(OTHER, CONTENT)
    await artifact_storage.delete(LOCAL, HASH)
    assert await artifact_storage.exists(OTHER, HASH)


async def test_exists_says_whether_the_object_is_there(artifact_storage: IArtifactStorage) -> None:
    assert not await artifact_storage.exists(LOCAL, HASH)
    await artifact_storage.put_bytes(LOCAL, CONTENT)
    assert await artifact_storage.exists(LOCAL, HASH)


async def test_fetch_writes_a_new_file(artifact_storage: IArtifactStorage, tmp_path: Path) -> None:
    await artifact_storage.put_bytes(LOCAL, CONTENT)
    await artifact_storage.fetch(LOCAL, HASH, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT


async def test_fetch_overwrites_nothing(artifact_storage: IArtifactStorage, tmp_path: Path) -> None:
    await artifact_storage.put_bytes(LOCAL, CONTENT)
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(InvalidInput):
        await artifact_storage.fetch(LOCAL, HASH, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"


async def test_an_absent_object_is_not_found(artifact_storage: IArtifactStorage, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await artifact_storage.fetch(LOCAL, HASH, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    with pytest.raises(NotFound):
        await read(artifact_storage, HASH)


async def test_damaged_bytes_are_noticed_and_nothing_is_left(
    artifact_storage: IArtifactStorage, tmp_path: Path
) -> None:
    await artifact_storage.put_bytes(LOCAL, CONTENT)
    place = object_file(tmp_path)
    place.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(StoreDamaged) as failed:
        await artifact_storage.fetch(LOCAL, HASH, tmp_path / "copy")
    assert failed.value.code == "artifact_corrupt"
    assert not (tmp_path / "copy").exists()


async def test_verify_returns_the_size_and_with_read_notices_other_bytes(
    artifact_storage: IArtifactStorage, tmp_path: Path
) -> None:
    for read in (True, False):
        with pytest.raises(NotFound):
            await artifact_storage.verify(LOCAL, HASH, read=read)
    await artifact_storage.put_bytes(LOCAL, CONTENT)
    for read in (True, False):
        assert await artifact_storage.verify(LOCAL, HASH, read=read) == len(CONTENT)
    object_file(tmp_path).write_bytes(b"!" + CONTENT[1:])
    assert await artifact_storage.verify(LOCAL, HASH, read=False) == len(CONTENT)
    with pytest.raises(StoreDamaged, match=HASH[2:]) as failed:
        await artifact_storage.verify(LOCAL, HASH, read=True)
    assert failed.value.code == "artifact_corrupt"


async def test_storing_the_bytes_again_repairs_a_damaged_object(
    artifact_storage: IArtifactStorage, tmp_path: Path
) -> None:
    await artifact_storage.put_bytes(LOCAL, CONTENT)
    object_file(tmp_path).write_bytes(b"")
    await artifact_storage.put_bytes(LOCAL, CONTENT)
    await artifact_storage.fetch(LOCAL, HASH, tmp_path / "copy")


async def test_a_stream_has_pieces_of_at_most_1_mib(artifact_storage: IArtifactStorage) -> None:
    content = os.urandom(2 * MIB + 7)
    stored = await artifact_storage.put_bytes(LOCAL, content)
    pieces = await read(artifact_storage, stored.sha256)
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= MIB


async def test_deleting_an_absent_object_is_fine(artifact_storage: IArtifactStorage) -> None:
    await artifact_storage.delete(LOCAL, HASH)


async def test_remains_of_uploads_are_collected_when_old_enough(
    artifact_storage: IArtifactStorage, tmp_path: Path
) -> None:
    for tenant_id in (LOCAL, OTHER):
        await artifact_storage.put_bytes(tenant_id, CONTENT)
        uploads = tmp_path / "artifacts" / tenant_id / "uploads"
        for name, age_sec in (("old", 7200), ("new", 0)):
            (uploads / name).write_bytes(b"half")
            os.utime(uploads / name, times=(time.time() - age_sec,) * 2)
    assert await artifact_storage.collect_uploads(3600) == 2
    assert [path.name for path in (tmp_path / "artifacts").glob("*/uploads/*")] == ["new", "new"]
    assert await artifact_storage.exists(LOCAL, HASH)


@pytest.mark.parametrize("tenant", ["", ".", "..", "a/b", "/etc", "a\0b", "a\nb", ".hidden", "-x", "x" * 200])
async def test_a_tenant_that_is_no_safe_folder_name_is_refused(
    artifact_storage: IArtifactStorage, tmp_path: Path, tenant: str
) -> None:
    for asked in (
        artifact_storage.put_bytes(TenantId(tenant), CONTENT),
        artifact_storage.exists(TenantId(tenant), HASH),
        artifact_storage.delete(TenantId(tenant), HASH),
        artifact_storage.fetch(TenantId(tenant), HASH, tmp_path / "copy"),
        read(artifact_storage, HASH, TenantId(tenant)),
    ):
        with pytest.raises(InvalidInput):
            await asked


@pytest.mark.parametrize("sha256", ["", "..", "../" * 20 + "etc/passwd", "A" * 64, "a" * 63])
async def test_a_hash_that_is_none_is_refused(artifact_storage: IArtifactStorage, sha256: str) -> None:
    with pytest.raises(InvalidInput):
        await artifact_storage.exists(LOCAL, Sha256(sha256))


async def test_objects_are_for_their_owner_alone(artifact_storage: IArtifactStorage, tmp_path: Path) -> None:
    await artifact_storage.put_bytes(LOCAL, CONTENT)
    place = object_file(tmp_path)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    folders = [folder for folder in place.parents if folder.is_relative_to(tmp_path / "artifacts")]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def object_file(tmp_path: Path) -> Path:
    return tmp_path / "artifacts" / LOCAL / "sha256" / HASH[:2] / HASH[2:]
