"""What is checked before the stream starts."""

from clickscore.sources.gaps import Gap
from clickscore.stream.preflight import describe_loss


def test_loss_is_described_with_every_range_and_the_choices() -> None:
    gaps = [Gap(("clicks", 0), 10, 24, "aged_out", "because"), Gap(("clicks", 3), 5, None, "deleted", "gone")]
    message = describe_loss(gaps)
    assert "clicks-0: offsets 10 to 24 are lost (aged_out): because" in message
    assert "clicks-3: offsets 5 to ... are lost (deleted): gone" in message
    assert "--accept-loss" in message
    assert "source_gaps" in message
    assert "retention.ms" in message
