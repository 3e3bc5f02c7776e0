from clickscore.sources.records import BatchPlan, shortened
from clickscore.stream.crash_loop import LOOP, Interrupted

PLAN = BatchPlan("2 files: a, b", "move the file away")


def test_loop_is_told_with_the_micro_batch_the_cause_its_records_and_the_choices() -> None:
    error = Interrupted(7, LOOP - 1, PLAN).explain("it broke")
    assert str(error) == (
        "batch 7 has failed in 3 runs in a row, and one more start will not help: it broke\n"
        "It holds 2 files: a, b. Nothing is lost: no record after it is read until it is done.\n"
        "  - Fix what the message names, and start again; or\n"
        "  - move the file away; or\n"
        "  - start over with a new checkpoint and new tables."
    )


def test_runs_that_ended_without_a_word_are_told_before_the_next_one() -> None:
    assert Interrupted(7, LOOP - 1, PLAN).warning is None
    assert "batch 7 was begun by 3 runs in a row" in (Interrupted(7, LOOP, PLAN).warning or "")


def test_message_names_the_first_few_of_many() -> None:
    assert shortened(["a", "b"]) == "a, b"
    assert shortened([f"f{number}" for number in range(1_005)]) == "f0, f1, f2, f3, f4 and 1,000 more"
