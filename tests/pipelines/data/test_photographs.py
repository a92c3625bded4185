import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.photographs import Photographs
from pipelines.system.errors import UserError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "set"
    for name in (
        "images/a.jpg",
        "images/twice.jpg",
        "more/twice.jpg",
        "more/B.PNG",
        "more/x.y.jpg",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root.parent / "outside.jpg").write_text("")
    (root / "more" / "notes.txt").write_text("")
    return root


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("images/a.jpg", "images/a.jpg"),
        ("a.jpg", "images/a.jpg"),
        ("/home/me/set/images/twice.jpg", "images/twice.jpg"),
        ("C:\\Users\\me\\more\\twice.jpg", "more/twice.jpg"),
        ("../../data/upload/1/a.jpg", "images/a.jpg"),
        ("b.png", "more/B.PNG"),
        ("A", "images/a.jpg"),
        ("x.y", "more/x.y.jpg"),
        ("twice.jpg", None),
        ("../outside.jpg", None),
        ("notes.txt", None),
        ("c.jpg", None),
        ("..", None),
        ("", None),
        ("a\0.jpg", None),
        ("a.jpg" * 999, None),
    ],
)
def test_a_file_is_found_by_the_end_of_its_path_or_by_a_name_of_its_own(folder, told, found):
    path = Photographs(folder).find(told)
    assert (path and path.relative_to(folder).as_posix()) == found


def test_what_was_found_elsewhere_is_told_once(folder):
    said: list[str] = []
    photographs = Photographs(folder)
    photographs.find("images/a.jpg")
    photographs.tell("set", said.append)
    assert said == []
    photographs.find("b.png")
    photographs.find("/else/a.jpg")
    photographs.tell("set", said.append)
    photographs.tell("set", said.append)
    assert said == [
        "set: 2 photographs do not lie where it is said and were found by name "
        "(first: 'b.png' is 'more/B.PNG')"
    ]


def test_a_link_that_leads_outside_is_refused(folder):
    (folder / "images" / "link.jpg").symlink_to(folder.parent / "outside.jpg")
    with pytest.raises(UserError, match="leads outside"):
        Photographs(folder).find("link.jpg")


@given(told=st.text(max_size=30))
def test_whatever_is_told_nothing_outside_is_found(told, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "empty"
    folder.mkdir(exist_ok=True)
    assert Photographs(folder).find(told) is None
