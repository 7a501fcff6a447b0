"""`compare`: runs side by side in print and as JSON."""

from written_runs import write_run

import transfer


def test_compare_prints_what_the_comparison_prints(call, tmp_path):
    runs = [
        write_run(tmp_path / name, [place >= wrong for place in range(60)]) for name, wrong in (("a", 2), ("b", 40))
    ]
    ended = call("compare", *runs)
    assert ended.code == 0
    assert ended.stderr == ""
    assert ended.stdout == f"{transfer.compare(runs)}\n"
    assert "order     a > b" in ended.stdout
    assert "winner    a" in ended.stdout


def test_compare_as_json_has_every_number(call, tmp_path):
    runs = [write_run(tmp_path / name, [place >= wrong for place in range(60)]) for name, wrong in (("a", 2), ("b", 5))]
    found = call("compare", *runs, tmp_path, "--json").json
    assert found["schema"] == "transfer/compare/1"
    assert [each["score"]["correct"] for each in found["runs"]] == [58, 55]
    (pair,) = found["pairs"]
    assert (pair["first_alone"], pair["second_alone"], pair["examples"], pair["told_apart"]) == (3, 0, 60, False)
    assert pair["p_value"] == pair["adjusted_p_value"] == 0.25
    assert found["winner"] is None
    assert found["unread"][0]["reason"] == f"a folder of 2 runs: {tmp_path}/*"


def test_compare_of_nothing_that_is_a_run_ends_with_the_code_of_the_data(call, tmp_path):
    ended = call("compare", tmp_path, "--json")
    assert ended.code == 6
    assert ended.error["problems"][0]["found"] == "no run.json"
