"""Histories in which the server crashes, or its clock jumps, while a job runs."""

from histories import W2, Story


def between_two_claims(server: str) -> Story:
    """Both claims are there, so no crash undid the first; a jump of the clock may have ended its lease."""
    story = Story().inserted(1).started(1, 1).at(10.04).claimed(1, 1).at(10.5)
    story.put("nemesis", f="server", server=server).at(11).back(1, 2).claimed(1, 2, W2)
    story.started(1, 2, W2).at(11.5).stopped(1, 1).at(12).stopped(1, 2, W2)
    return story.over(1).final()


def undone_and_claimed_by_two(crash_at: float) -> Story:
    """A run without a claim; one that came later has its epoch, and the one after that runs beside it."""
    story = Story().at(11).inserted(1).started(1, 1).at(crash_at)
    story.put("nemesis", f="server", server="crash").at(12).claimed(1, 1, W2).back(1, 2)
    story.claimed(1, 2, W2).at(12.5).started(1, 2, W2).at(13).stopped(1, 1).at(14).stopped(1, 2, W2)
    return story.over(1).final()
