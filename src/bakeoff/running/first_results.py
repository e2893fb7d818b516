"""Results of setups that need no tuning, shown while others are still to be tuned."""

from __future__ import annotations

from bakeoff.running.state import RunState


def show_first(state: RunState) -> None:
    """What is known before anything is tuned, where it is scored by now."""
    if not state.scoring.caught_up():
        return
    from bakeoff.analysis import measured_run
    from bakeoff.outputs import report

    setups = state.plan.suite.setups.values()
    known = [s.name for s in setups if not (state.resources.tunes(s) or s.route)]
    state.progress.show(report.headline(measured_run.Run(state.folder, tuple(known))))
    state.progress.note("These stand; the setups that are tuned follow.")
