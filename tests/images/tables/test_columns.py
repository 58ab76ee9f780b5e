import pytest

from ding_cls.errors import DataError
from ding_cls.images.tables.columns import find_columns, is_yes, is_yes_or_no
from ding_cls.images.tables.reading import read_table


def columns(folder, text, **known):
    (folder / "own.csv").write_text(text)
    return find_columns("own.csv", read_table(str(folder / "own.csv")), known)


@pytest.mark.parametrize(
    ("text", "path", "label", "split"),
    [
        ("path,label\na.png,cat\n", "path", "label", None),
        ("label,path\ncat,a.png\n", "path", "label", None),
        ("id,breed\nabc1,pug\n", "id", "breed", None),
        ("Image Index,Finding Labels,Patient ID\n1.png,a,7\n", "Image Index", "Finding Labels", None),
        ("file_name,text\na.png,cat\n", "file_name", "text", None),
        ("Unnamed: 0,image_id,label\n0,a,cat\n", "image_id", "label", None),
        (",image_id,label\n0,a,cat\n", "image_id", "label", None),
        ("what,where\ncat,a.png\n", "where", "what", None),
        ("path,target,target_name,score\na.png,2,10,0.5\n", "path", "target_name", None),
        ("id_code,diagnosis\nabc1,2\n", "id_code", "diagnosis", None),
        ("slide,species\nabc1,fir\n", "slide", "species", None),
        ("lesion_id,image_id,dx,sex\nHAM_1,ISIC_1,nv,m\n", "image_id", "dx", None),
        ("Image,Id\na.jpg,w_1\nb.jpg,w_2\nc.jpg,w_1\n", "Image", "Id", None),
        ("name,path,class\nAnna,a.png,cat\n", "path", "class", None),
        ("path,label,split\na.png,cat,train\n", "path", "label", "split"),
        ("path,label,Subset\na.png,cat,Train\nb.png,cat,TEST\n", "path", "label", "Subset"),
        ("path,label,fold\na.png,cat,0\n", "path", "label", None),
        ("a.png,cat\nb.png,dog\n", "column 1", "column 2", None),
        ("a.png,cat,train\nb.png,dog,val\n", "column 1", "column 2", "column 3"),
        ("img/a b.png 3\nimg/c.png 4\n", "column 1", "column 2", None),
    ],
)
def test_which_column_is_what(tmp_path, text, path, label, split):
    found = columns(tmp_path, text)
    assert (found.path, found.label, found.split) == (path, label, split)
    assert found.labels == "one"


def test_weights_and_groups_are_taken_by_their_very_names(tmp_path):
    found = columns(tmp_path, "path,label,weight,group,weight_kg,age\na.png,cat,1,x,70,3\n")
    assert (found.weight, found.group, found.unused) == ("weight", "group", ["weight_kg", "age"])
    assert found.arguments() == {
        "path": "path",
        "label": "label",
        "labels": "one",
        "weight": "weight",
        "group": "group",
    }
    assert columns(tmp_path, "path,label,kg\na.png,cat,70\n").arguments()["weight"] is None


@pytest.mark.parametrize(
    ("text", "label", "labels", "separator"),
    [
        ("image,cat,dog\na.png,1,0\nb.png,0.0,1.0\n", ["cat", "dog"], "several", " "),
        ("image,cat,dog\na.png,True,False\n", ["cat", "dog"], "several", " "),
        ("image,cat,dog,age\na.png,1,0,44\n", ["cat", "dog"], "several", " "),
        ("path,label\na.png,cat|dog\nb.png,dog\n", "label", "several", "|"),
        ('path,label\na.png,"cat, dog"\nb.png,dog\n', "label", "several", ","),
        ("image,cat,dog\na.png,-1,1\nb.png,1,-1\n", ["cat", "dog"], "several", " "),
        ("path,label\na.png,a;b\nb.png,c;d\n", "label", "one", " "),
        ("path,label\na.png,a|b\nb.png,c|d\n", "label", "several", "|"),
        ("image,tags\na.png,haze primary\nb.png,clear primary\n", "tags", "several", " "),
        ("image,labels\na.png,scab\nb.png,rust scab\nc.png,rust\n", "labels", "several", " "),
        ("image,labels\na.png,golden retriever\nb.png,retriever\n", "labels", "one", " "),
        ("image,Target\na.png,16 0\nb.png,7 1 2 0\n", "Target", "several", " "),
        (
            'path,class\na.png,x\nb.png,"x, suit"\nc.png,"tench, Tinca"\nd.png,"hen, fowl"\n',
            "class",
            "one",
            " ",
        ),
        ("path,label\na.png,big cat\nb.png,cat\n", "label", "one", " "),
        ("path,label\na.png,0\nb.png,1\n", "label", "one", " "),
    ],
)
def test_several_labels_are_columns_of_0_and_1_or_have_a_mark_between(
    tmp_path, text, label, labels, separator
):
    found = columns(tmp_path, text)
    assert (found.label, found.labels, found.separator) == (label, labels, separator)
    assert ("separator" in found.arguments()) == (labels == "several" and isinstance(label, str))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,label\n", "has no rows below its first line"),
        ("a,b\n1,2\n", "which column holds the paths of the images. its columns are a, b; name one 'path'"),
        ("p,q,label\na.png,b.png,1\n", "p, q may each be it"),
        ("path\na.png\n", "holds the labels. there is no other column than that of paths"),
        ("path,stage,sex\na.png,nv,m\n", "holds the labels. stage, sex may each be it"),
        ("path,a,b\na.png,1,-1\nb.png,0,1\n", "the column 'b' has -1 beside 0 and 1; write 1 for"),
        ("path,a,b\na.png,1,-1\nb.png,1,1\nc.png,0,0\n", "the column 'b' has -1 beside"),
        ("path,a,b,c\na.png,1,0,\nb.png,1,1,1\n", "the column 'c' has empty cells beside 0 and 1"),
        ("path,label,label\na.png,1,2\n", "names 'label' twice"),
        ("label," + ",".join(f"pixel{n}" for n in range(784)) + "\n" + "0," * 784 + "0\n", "holds pixels"),
        (
            "label," + ",".join(f"{n // 28}x{n % 28}" for n in range(784)) + "\n" + "0," * 784 + "0\n",
            "pixels",
        ),
        ("emotion,pixels,Usage\n0," + "70 80 " * 200 + ",Training\n", "holds pixels"),
    ],
)
def test_what_cannot_be_told_is_refused_in_a_line(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason) as caught:
        columns(tmp_path, text)
    assert len(str(caught.value)) < 260


def test_columns_that_a_run_names_are_taken_where_they_are_there(tmp_path):
    text = "path,file,label,kind,part\na.png,b.png,1,x,train\n"
    found = columns(tmp_path, text, path="file", label="kind", split_column="part", weight=None)
    assert (found.path, found.label, found.split) == ("file", "kind", "part")
    assert columns(tmp_path, text, path="gone", label=["kind", "gone"]).label == "label"


def test_words_of_flags():
    assert is_yes_or_no(["0", "1", "1.0", "False"])
    assert not is_yes_or_no(["0", "2"])
    assert not is_yes_or_no([""])
    assert is_yes_or_no(["-1", "1"])
    assert not is_yes_or_no(["-1", "0"])
    assert [is_yes(each) for each in ("1", "0", "TRUE")] == [True, False, True]
