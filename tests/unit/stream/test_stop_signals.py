import signal
from threading import Thread

from clickscore.stream.stop_signals import stop_signals


def test_signals_are_collected_and_those_who_handled_them_before_do_so_again() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals() as signals:
        assert signals == []
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert signals == [signal.SIGTERM, signal.SIGINT]
    assert signal.getsignal(signal.SIGTERM) is before


def test_only_the_main_thread_handles_signals() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), list[object]()

    def run() -> None:
        with stop_signals() as signals:
            seen.extend([signals, signal.getsignal(signal.SIGTERM) is before])

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [[], True]
