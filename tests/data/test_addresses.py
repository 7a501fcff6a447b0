"""What is an address, and what of it may be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.data.addresses import address_name, hide_secrets, is_address, local_path, with_plain_kind


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("s3://bucket/a.png", True),
        ("https://host/a b.jpg", True),
        ("gs://x", True),
        ("simplecache::s3://bucket/a.png", True),
        ("a/b.png", False),
        ("C:\\a", False),
        ("C://a.png", False),
        ("://a.png", False),
        ("https://", False),
    ],
)
def test_addresses_are_told_from_paths(text, wanted):
    assert is_address(text) is wanted


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("s3://bucket/ä b%20c.png", "s3://bucket/ä b%20c.png"),
        ("HTTPS://Host/A.png#part", "https://host/A.png"),
        ("https://user:password@host:8080/a.png", "https://host:8080/a.png"),
        ("https://user:pass@word@host/a.png", "https://host/a.png"),
        ("https://user:pass/word@host/a.png", "https://host/a.png"),
        ("https://[::1]:80/a@b.png", "https://[::1]:80/a@b.png"),
        ("https://h/a.png?X-Amz-Signature=1&X-Amz-Date=2&X-Amz-Security-Token=3", "https://h/a.png"),
        ("https://h/a.png?X-Goog-Signature=1&X-Goog-Credential=2", "https://h/a.png"),
        ("https://h/a.png?AWSAccessKeyId=1&Signature=2&Expires=3", "https://h/a.png"),
        ("https://h/a.png?sv=2024&sp=r&se=2030&sr=b&sig=abc", "https://h/a.png"),
        ("https://h/a.png?access_token=1", "https://h/a.png"),
        ("zip://a.png::https://user:password@h/x.zip?X-Amz-Signature=1", "zip://a.png::https://h/x.zip"),
        ("memory://a:b/c.png", "memory://a:b/c.png"),
    ],
)
def test_names_are_addresses_without_what_is_secret(address, wanted):
    assert address_name(address) == wanted


def test_what_a_query_says_tells_pictures_apart_and_is_not_shown():
    names = {address_name(f"https://h/image?{query}") for query in ("id=3", "id=4", "signature=MS-1", "expires=3", "")}
    assert len(names) == 5
    assert address_name("https://h/image?id=3&X-Amz-Signature=1") == address_name("https://h/image?id=3")
    assert "3" not in address_name("https://h/image?id=33333").partition("?")[0]
    assert "secret" not in address_name("https://h/image?token=secret")


@given(st.text(max_size=60), st.sampled_from(["", "user:s3cret@", "s3cret@", "user:s3/cret@"]), st.text(max_size=20))
def test_a_name_is_its_own_name_and_without_credentials(path, user, query):
    address = f"https://{user}host/{path}?{query}"
    name = address_name(address)
    assert address_name(name) == name
    assert is_address(name)
    assert not name.startswith(("https://user", "https://s3"))


def test_messages_of_others_name_addresses_likewise():
    told = "403, url='https://user:pw@h/a.png?X-Amz-Signature=abc' and s3://b/c"
    assert hide_secrets(told) == "403, url='https://h/a.png' and s3://b/c"


def test_files_of_this_machine_are_found_as_they_stand_or_as_they_read(tmp_path):
    (tmp_path / "a b.png").touch()
    (tmp_path / "c%20d.png").touch()
    assert local_path(f"file://{tmp_path}/a%20b.png") == tmp_path / "a b.png"
    assert local_path(f"FILE://{tmp_path}/c%20d.png") == tmp_path / "c%20d.png"
    assert local_path(f"file://{tmp_path}/gone.png") == tmp_path / "gone.png"
    assert local_path(f"file://localhost{tmp_path}/a b.png") == tmp_path / "a b.png"
    assert local_path("s3://b/a.png") is None


def test_kinds_are_brought_into_small_letters():
    assert with_plain_kind("ZIP://A.png::HTTPS://Host/X.zip") == "zip://A.png::https://Host/X.zip"
