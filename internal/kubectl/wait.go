package kubectl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// codes are the exit codes of the verdicts.
var codes = map[v1alpha1.Verdict]int{
	v1alpha1.VerdictPassed: ExitPassed, v1alpha1.VerdictFailed: ExitFailed, v1alpha1.VerdictError: ExitError,
	v1alpha1.VerdictTimedOut: ExitTimedOut, v1alpha1.VerdictCancelled: ExitCancelled,
}

// gravest orders verdicts: the exit code of several runs is that of the first of these that one of them has.
var gravest = []v1alpha1.Verdict{
	v1alpha1.VerdictFailed, v1alpha1.VerdictTimedOut, v1alpha1.VerdictError, v1alpha1.VerdictCancelled, v1alpha1.VerdictPassed,
}

// verdictOf ends the plugin with the gravest verdict of the runs.
func verdictOf(runs []show.Run) error {
	for _, verdict := range gravest {
		for _, run := range runs {
			if run.Status.Verdict == verdict && verdict != v1alpha1.VerdictPassed {
				return &exit{codes[verdict], nil}
			}
		}
	}
	return nil
}

func (a *app) waitCommand() *cobra.Command {
	var timeout time.Duration
	var labels string
	command := &cobra.Command{
		Use:   "wait RUN... | -l SELECTOR",
		Short: "Wait until runs have finished; the exit code is the verdict",
		Long: `Wait until runs have finished. The exit code is the verdict: 0 passed, 1 failed, 2 error, 3 timed out, 4 cancelled.

Of several runs it is the gravest: failed, then timed out, error, cancelled, passed. Other codes are no verdict: 10 the
command line is wrong, 11 it could not be done, 12 --timeout is over and a run has not finished, 130 interrupted. A run that
has finished and is gone from the cluster is found in the archive.`,
		Example: "  kubectl testrun wait smoke-x7k2p\n  kubectl testrun wait -l commit=4f2a9c1 --timeout=30m",
		Args: func(cmd *cobra.Command, args []string) error {
			if (len(args) > 0) == (labels != "") {
				return usage("%s takes the names of runs, or -l with labels. %[1]s --help shows examples", cmd.CommandPath())
			}
			return checkTimeout(timeout)
		},
		ValidArgsFunction: a.completeRuns(isLive),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, names, err := a.with(testRuns, args)
			if err != nil {
				return err
			}
			s := selection{namespace: c.namespace, names: names, labels: labels}
			if err := s.check(); err != nil {
				return err
			}
			runs, err := c.waitFor(cmd.Context(), s, timeout, c.Out)
			if err != nil {
				return err
			}
			return verdictOf(runs)
		},
	}
	command.Flags().DurationVar(&timeout, "timeout", 0, "How long to wait at most, such as 30m; 0 for as long as it takes")
	command.Flags().StringVarP(&labels, "selector", "l", "", "Wait for the runs with these labels, those that are there now")
	return command
}

// checkTimeout refuses a time that is over before it began.
func checkTimeout(timeout time.Duration) error {
	if timeout < 0 {
		return usage("--timeout is %s: write how long to wait at most, such as 30m, or leave it out to wait as long as it takes", timeout)
	}
	return nil
}

// waitFor waits until all of the runs have finished, and says how each is; on out how it ended.
func (c *cluster) waitFor(ctx context.Context, s selection, timeout time.Duration, out io.Writer) ([]show.Run, error) {
	wanted, err := c.wanted(ctx, s)
	if err != nil {
		return nil, err
	}
	w := &waiting{cluster: c, out: out, runs: wanted, said: map[string]string{}}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	if !w.say() {
		err = w.wait(ctx, s)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		left := w.unfinished()
		return nil, &exit{ExitStillRuns, fmt.Errorf("%s did not finish after %s: %s. kubectl testrun why %s says what it waits for",
			count(len(left), "run"), timeout, listed(left), c.named(left[0]))}
	}
	return w.runs, err
}

// wanted are the runs that are to be waited for.
func (c *cluster) wanted(ctx context.Context, s selection) ([]show.Run, error) {
	if len(s.names) == 0 {
		runs, err := c.runs(ctx, s)
		if err == nil && len(runs) == 0 {
			err = fmt.Errorf("no run in namespace %s has the labels %s: kubectl get testruns --show-labels shows them", s.namespace, s.labels)
		}
		return runs, err
	}
	var runs []show.Run
	for _, name := range s.names {
		run, err := c.run(ctx, name)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// waiting is what is known of runs that are waited for.
type waiting struct {
	*cluster
	out  io.Writer
	runs []show.Run
	// said is what was said of each run last.
	said map[string]string
}

// wait follows the runs until all have finished.
func (w *waiting) wait(ctx context.Context, s selection) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var beside sync.WaitGroup
	names := w.unfinished()
	beside.Go(func() { w.complain(ctx, names) }) // a run about which nobody says anything is looked at too
	beside.Go(func() { w.tellProgress(ctx, s, names) })
	relabelled := false
	look := func(f *followed) error {
		w.take(f)
		for i := range w.runs {
			hasLeft := s.labels != "" && w.runs[i].Gone != nil && !show.IsFinished(w.runs[i].TestRun)
			if relabelled = hasLeft && w.isThere(ctx, w.runs[i]); relabelled {
				return errEnough
			}
			var err error
			if w.runs[i], err = w.itsEnd(ctx, w.runs[i]); err != nil {
				return err
			}
		}
		if w.say() {
			return errEnough
		}
		return nil
	}
	err := w.follow(ctx, s, look)
	if relabelled { // the labels said which runs are meant, and nobody has to keep them
		s = selection{namespace: s.namespace, names: names}
		err = w.follow(ctx, s, look)
	}
	stop()
	beside.Wait()
	return err
}

// How long a test may run before anybody is told how far it is, and how often it is told.
const (
	beforeProgress  = 5 * time.Second
	progressEach    = 10 * time.Second
	runsInAProgress = 100
)

// tellProgress says from time to time how far the tests are, if there is an archive that knows.
func (w *waiting) tellProgress(ctx context.Context, s selection, names []string) {
	told := map[string]show.Progress{}
	for wait := beforeProgress; ; wait = progressEach {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		archive, err := w.openArchive(ctx)
		if err != nil {
			return
		}
		runs, _, err := archive.Runs(ctx, s.namespace, url.Values{"state": {"InProgress"}}, runsInAProgress)
		w.lostArchive(err)
		for _, kept := range runs {
			if err != nil || kept.Progress == nil || !slices.Contains(names, kept.Name) || told[kept.Name] == show.Progress(*kept.Progress) {
				continue
			}
			told[kept.Name] = show.Progress(*kept.Progress)
			w.tell(w.ErrOut, runOf(kept))
		}
	}
}

// complain says that no operator seems to be there, if none has looked at a run for too long.
func (w *waiting) complain(ctx context.Context, names []string) {
	for len(names) > 0 {
		for _, name := range names {
			run := &v1alpha1.TestRun{}
			select {
			case <-ctx.Done():
				return
			case <-time.After(show.Patience):
			}
			if err := w.get(ctx, run, testRuns, w.namespace, name); err == nil && show.Unseen(run, w.now()) {
				w.note("%s waits, and %s", name, show.NoOperator)
				return
			}
		}
	}
}

// take takes what is known now.
func (w *waiting) take(f *followed) {
	for i := range w.runs {
		now, ok := f.runs[w.runs[i].UID]
		if ok {
			w.runs[i] = now
		} else if w.runs[i].Gone == nil { // it was deleted before the list was read
			w.runs[i].Gone = new(w.now())
		}
	}
}

// say says what is new, and whether all runs have finished.
func (w *waiting) say() bool {
	all := true
	for _, run := range w.runs {
		finished := show.IsFinished(run.TestRun)
		brief := show.State(run.TestRun) + show.Reason(run.TestRun)
		if w.said[run.Name] != brief {
			w.said[run.Name] = brief
			out := w.ErrOut
			if finished {
				out = w.out
			}
			w.tell(out, run)
		}
		all = all && finished
	}
	return all
}

func (w *waiting) unfinished() (names []string) {
	for _, run := range w.runs {
		if !show.IsFinished(run.TestRun) {
			names = append(names, run.Name)
		}
	}
	return names
}
