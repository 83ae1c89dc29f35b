package kubectl

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/remote"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// logs prints what tests print.
type logs struct {
	*cluster
	// follow goes on until the run has finished. attempt is the one that is shown; 0 for the last one. failed shows all that did not pass.
	follow, failed bool
	attempt        int32
	// out gets the output.
	out io.Writer
}

func (a *app) logsCommand() *cobra.Command {
	l := &logs{}
	var test string
	command := &cobra.Command{
		Use:   "logs RUN | --failed [RUN]",
		Short: "Print what the test of a run printed",
		Long: `Print what the test of a run printed, in its last attempt: from its pod, or from the archive once the pod is gone.

--failed prints each attempt that did not pass. Without the name of a run it takes the newest run that did not pass.`,
		Example: "  kubectl testrun logs checkout-x7k2p -f\n  kubectl testrun logs --failed --test=checkout",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1, len(args) == 0 && !l.failed:
				return usage("%s takes the name of a run, or --failed for the newest that did not pass. %[1]s --help shows examples", cmd.CommandPath())
			case l.failed && l.attempt != 0:
				return usage("--failed chooses the attempts: leave out --attempt")
			case l.failed && l.follow:
				return usage("--failed prints attempts that have ended: leave out --follow")
			case l.attempt < 0:
				return usage("--attempt is %d: attempts are counted from 1", l.attempt)
			case test != "" && len(args) > 0:
				return usage("--test chooses a run: leave out its name")
			}
			return nil
		},
		ValidArgsFunction: first(a.completeRuns(nil)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var run show.Run
			c, names, err := a.with(testRuns, args)
			if err != nil {
				return err
			}
			if l.cluster = c; len(names) == 1 {
				run, err = l.run(cmd.Context(), names[0])
			} else {
				run, err = l.newestFailed(cmd.Context(), test)
			}
			if err == nil {
				_, err = l.print(cmd.Context(), run)
			}
			return err
		},
	}
	flags := command.Flags()
	flags.BoolVarP(&l.follow, "follow", "f", false, "Go on until the run has finished")
	flags.BoolVar(&l.failed, "failed", false, "Print each attempt that did not pass")
	flags.Int32Var(&l.attempt, "attempt", 0, "Number of the attempt; the last one if left out")
	flags.StringVar(&test, "test", "", "With --failed and no run: the newest run of this Test")
	_ = command.RegisterFlagCompletionFunc("test", a.completeTests) // the flag exists
	return command
}

// newestFailed is the newest run that did not pass.
func (c *cluster) newestFailed(ctx context.Context, test string) (show.Run, error) {
	s := selection{namespace: c.namespace, test: test, limit: 1, states: []string{
		string(v1alpha1.VerdictFailed), string(v1alpha1.VerdictError), string(v1alpha1.VerdictTimedOut),
	}}
	runs, err := c.runs(ctx, s)
	if err != nil {
		return show.Run{}, err
	}
	if len(runs) == 0 {
		if runs, _, err = c.archivedRuns(ctx, s); err != nil || len(runs) == 0 {
			return show.Run{}, fmt.Errorf("no run in namespace %s has failed, as far as is known", c.namespace)
		}
		return c.run(ctx, runs[0].Name)
	}
	c.tell(c.ErrOut, runs[0])
	return runs[0], nil
}

// print prints the output of the run, and says how the run is afterwards.
func (l *logs) print(ctx context.Context, run show.Run) (show.Run, error) {
	l.out = l.Out
	if file, _ := terminal(l.Out); file != nil { // elsewhere the output stays as it is
		guard := show.NewGuard(file)
		defer guard.Close()
		l.out = guard
	}
	if l.follow && run.Gone == nil && !show.IsFinished(run.TestRun) {
		return l.printLive(ctx, run)
	}
	attempts, err := l.chosen(run)
	if err != nil {
		return run, err
	}
	for _, attempt := range attempts {
		if len(attempts) > 1 {
			l.note("==> attempt %d: %s, %s <==", attempt.Number, attempt.Verdict, attempt.Reason)
		}
		if err := l.printAttempt(ctx, run, attempt); err != nil {
			return run, err
		}
	}
	return run, nil
}

// chosen are the attempts that are to be printed.
func (l *logs) chosen(run show.Run) ([]v1alpha1.Attempt, error) {
	all := run.Status.Attempts
	switch {
	case len(all) == 0:
		return nil, fmt.Errorf("run %s has printed nothing: no attempt of it ever began. It is %s (%s: %s)", run.Name, show.State(run.TestRun),
			show.Reason(run.TestRun), show.Message(run.TestRun))
	case l.failed:
		var failed []v1alpha1.Attempt
		for _, attempt := range all {
			if attempt.Verdict != v1alpha1.VerdictPassed && attempt.Verdict != "" {
				failed = append(failed, attempt)
			}
		}
		if len(failed) == 0 {
			return nil, fmt.Errorf("no attempt of run %s has failed; leave out --failed for the output of the last one", run.Name)
		}
		return failed, nil
	case l.attempt == 0:
		return all[len(all)-1:], nil
	}
	for _, attempt := range all {
		if attempt.Number == l.attempt {
			return []v1alpha1.Attempt{attempt}, nil
		}
	}
	return nil, usage("run %s has no attempt %d: it had %d", run.Name, l.attempt, all[len(all)-1].Number)
}

// printAttempt prints what an attempt printed: from its pod, or else from the archive.
func (l *logs) printAttempt(ctx context.Context, run show.Run, attempt v1alpha1.Attempt) error {
	fromPod := errors.New("the run is not in the cluster any more")
	if run.Gone == nil {
		if fromPod = l.copyPod(ctx, run.TestRun, attempt, false, 0, nil); fromPod == nil || ctx.Err() != nil {
			return fromPod
		}
	}
	return l.fromArchive(ctx, run, attempt, fromPod)
}

func (l *logs) fromArchive(ctx context.Context, run show.Run, attempt v1alpha1.Attempt, fromPod error) error {
	archive, err := l.openArchive(ctx)
	if err != nil {
		return fmt.Errorf("the output of %s cannot be had from its pod: %w. The archive may have it, and cannot be asked: %w", run.Name, l.podError(ctx, run.TestRun, fromPod), err)
	}
	completeness, err := archive.Output(ctx, l.out, string(run.UID), attempt.Number, false)
	switch {
	case remote.IsNotFound(err):
		return fmt.Errorf("the output of %s is neither in its pod (%w) nor in the archive", run.Name, l.podError(ctx, run.TestRun, fromPod))
	case err != nil:
		return fmt.Errorf("the archive does not give the output of %s: %w", run.Name, err)
	case completeness == "partial" || completeness == "altered" || completeness == "none":
		l.note("The archive's copy of this output is %s: docs/archive.md says what that means.", completeness)
	}
	return nil
}

// podError is why a pod gave no output.
func (l *logs) podError(ctx context.Context, run *v1alpha1.TestRun, err error) error {
	return l.explain(ctx, err, asked{"get", "pods/log", "", run.Namespace})
}

var errNoPod = errors.New("it never had one")

// copyPod copies the log of the pod of an attempt, from a byte on. copied counts the bytes, if it is not nil.
func (l *logs) copyPod(ctx context.Context, run *v1alpha1.TestRun, attempt v1alpha1.Attempt, follow bool, from int64, copied *int64) error {
	if attempt.Pod == "" {
		return errNoPod
	}
	pods := l.core.Pods(run.Namespace)
	pod, err := pods.Get(ctx, attempt.Pod, metav1.GetOptions{})
	if err != nil {
		return err
	}
	stream, err := pods.GetLogs(attempt.Pod, &corev1.PodLogOptions{Container: l.containerOf(ctx, run, pod), Follow: follow}).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	if _, err := io.CopyN(io.Discard, stream, from); err != nil {
		return err
	}
	n, err := io.Copy(l.out, stream)
	if copied != nil {
		*copied += n
	}
	return err
}

// containerOf is the container that is the test.
func (l *logs) containerOf(ctx context.Context, run *v1alpha1.TestRun, pod *corev1.Pod) string {
	all := pod.Spec.Containers
	for i := range all {
		for _, variable := range all[i].Env {
			if variable.Name == v1alpha1.EnvResults {
				return all[i].Name
			}
		}
	}
	named := ""
	if run.Spec.TestSpec != nil {
		named = run.Spec.TestSpec.Container
	} else if name := show.TestOf(run); name != "" && len(all) > 1 {
		test := &v1alpha1.Test{}
		if err := l.get(ctx, test, tests, run.Namespace, name); err == nil {
			named = test.Spec.Container
		}
	}
	for i := range all {
		if all[i].Name == named {
			return named
		}
	}
	return all[0].Name
}

// waitsToStart says whether a container has no log because it has not been started.
func waitsToStart(err error) bool { return apierrors.IsBadRequest(err) }
