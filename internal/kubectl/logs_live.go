package kubectl

import (
	"context"
	"strings"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/remote"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// printLive prints what the test prints while it runs, attempt after attempt, until the run has finished.
func (l *logs) printLive(ctx context.Context, run show.Run) (show.Run, error) {
	number := l.attempt
	if number == 0 {
		number = 1
		if n := len(run.Status.Attempts); n > 0 {
			number = run.Status.Attempts[n-1].Number
		}
	}
	said := ""
	for ; ; number++ {
		attempt, now, err := l.untilStarted(ctx, run.TestRun, number, &said)
		if err != nil || attempt == nil {
			return now, err
		}
		if number > 1 {
			l.note("==> attempt %d <==", number)
		}
		if err := l.stream(ctx, now, *attempt); err != nil {
			return now, err
		}
		now, err = l.untilEnded(ctx, run.TestRun, number)
		if err != nil || show.IsFinished(now.TestRun) || l.attempt != 0 {
			return now, err
		}
	}
}

func attemptOf(run *v1alpha1.TestRun, number int32) *v1alpha1.Attempt {
	for i := range run.Status.Attempts {
		if run.Status.Attempts[i].Number == number {
			return &run.Status.Attempts[i]
		}
	}
	return nil
}

// untilStarted waits until the attempt runs, and says meanwhile what it waits for. There is no attempt if the run finished without it.
func (l *logs) untilStarted(ctx context.Context, run *v1alpha1.TestRun, number int32, said *string) (*v1alpha1.Attempt, show.Run, error) {
	var found *v1alpha1.Attempt
	var last show.Run
	err := l.watchOne(ctx, run, func(now show.Run) (bool, error) {
		last = now
		found = attemptOf(now.TestRun, number)
		started := found != nil && (found.StartTime != nil || found.FinishTime != nil)
		if !started {
			found = nil
		}
		brief := show.State(now.TestRun) + show.Reason(now.TestRun)
		if !started && !show.IsFinished(now.TestRun) && *said != brief {
			*said = brief
			l.tell(l.ErrOut, now)
		}
		return started || show.IsFinished(now.TestRun), nil
	})
	return found, last, err
}

func (l *logs) untilEnded(ctx context.Context, run *v1alpha1.TestRun, number int32) (show.Run, error) {
	var last show.Run
	err := l.watchOne(ctx, run, func(now show.Run) (bool, error) {
		last = now
		attempt := attemptOf(now.TestRun, number)
		return show.IsFinished(now.TestRun) || attempt != nil && attempt.Verdict != "", nil
	})
	return last, err
}

// tries is how often a stream that broke off is taken up again.
const tries = 5

// stream prints what the attempt prints until it has ended: from its pod, or else from the archive.
func (l *logs) stream(ctx context.Context, run show.Run, attempt v1alpha1.Attempt) error {
	copied, err := l.streamPod(ctx, run, attempt)
	switch {
	case err == nil || ctx.Err() != nil:
		return ctx.Err()
	case copied > 0:
		l.note("The output breaks off here (%v); kubectl testrun logs %s prints all of it.", err, l.named(run.Name))
	default:
		if err = l.streamArchive(ctx, run, attempt, err); err != nil && ctx.Err() == nil {
			l.note("The output cannot be followed: %s.", strings.TrimSuffix(err.Error(), "."))
		}
	}
	return ctx.Err()
}

// streamPod takes a connection that breaks off up again, at the byte where it ended.
func (l *logs) streamPod(ctx context.Context, run show.Run, attempt v1alpha1.Attempt) (copied int64, err error) {
	for range tries {
		err = l.copyPod(ctx, run.TestRun, attempt, true, copied, &copied)
		if err == nil || !brokenOff(err) && !waitsToStart(err) || !pause(ctx) {
			return copied, err
		}
	}
	return copied, err
}

// streamArchive follows the archive's copy. notInPod is why the pod has none.
func (l *logs) streamArchive(ctx context.Context, run show.Run, attempt v1alpha1.Attempt, notInPod error) error {
	archive, err := l.openArchive(ctx)
	if err != nil {
		return l.podError(ctx, run.TestRun, notInPod)
	}
	for range tries {
		if _, err = archive.Output(ctx, l.out, string(run.UID), attempt.Number, true); !remote.IsNotFound(err) || !pause(ctx) {
			return err // else it has not heard of the attempt yet
		}
	}
	return err
}

// pause waits a moment, and says whether to go on.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Second):
		return true
	}
}
